"""Choosing the language in which pages are shown."""

from __future__ import annotations

import pytest

from campaigns.models import User
from tests.campaigns.screens import sign_in, text_of

pytestmark = pytest.mark.django_db

START = "/admin/"


def choose(client, language: str, **fields: str):
    return client.post("/language/", {"language": language, "next": "/admin/", **fields})


def test_the_header_offers_the_other_language_by_its_own_name(client):
    sign_in(client)
    assert "Русский" in text_of(client.get(START))
    choose(client, "ru")
    page = text_of(client.get(START))
    assert "Русский" not in page
    assert "English" in page


def test_a_choice_stays_with_the_user_and_leads_back_to_the_page(client):
    user = sign_in(client)
    response = choose(client, "ru", next="/admin/password_change/")
    assert response.url == "/admin/password_change/"
    user.refresh_from_db()
    assert user.language == "ru"
    client.logout()
    client.cookies.clear()
    client.force_login(user)
    assert 'lang="ru"' in client.get(START).content.decode()


def test_before_signing_in_a_cookie_keeps_the_choice(client):
    assert "Log in" in client.get("/admin/login/").content.decode()
    choose(client, "ru", next="/admin/login/")
    page = client.get("/admin/login/").content.decode()
    assert 'lang="ru"' in page
    assert "Войти" in page


def test_looking_changes_nothing(client):
    user = sign_in(client)
    assert client.get("/language/", {"language": "ru"}).status_code == 405
    user.refresh_from_db()
    assert user.language == ""


def test_a_language_that_there_is_not_changes_nothing(client):
    user = sign_in(client)
    for language in ("de", "", "ru-x-y", "../ru"):
        assert choose(client, language).status_code == 302
    user.refresh_from_db()
    assert user.language == ""


def test_the_choice_leads_to_no_other_site(client):
    sign_in(client)
    assert choose(client, "ru", next="https://example.org/").url == "/"


def test_one_users_choice_is_not_anothers(client):
    other = User.objects.create(username="petr", is_staff=True)
    sign_in(client)
    choose(client, "ru")
    other.refresh_from_db()
    assert other.language == ""


def test_permissions_are_named_in_the_readers_language(client):
    root = User.objects.create_superuser("root", language="ru")
    client.force_login(root)
    page = text_of(client.get(f"/admin/campaigns/user/{root.pk}/change/"))
    assert "SMS-рассылки | контакт | Может добавлять" in page
    assert "SMS-рассылки | рассылка | Может отправлять и планировать рассылки" in page
    assert "Can " not in page
