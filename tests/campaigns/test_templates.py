"""Saved texts in several languages: written, offered to campaigns, copied by them."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.models import AuditEvent, Campaign, MessageTemplate, TemplateText
from tests.campaigns.building import make_campaign, make_group
from tests.campaigns.screens import campaign_url, sign_in, sign_in_superuser, text_of
from tests.campaigns.test_admin_campaigns import ADD as ADD_CAMPAIGN
from tests.campaigns.test_admin_campaigns import form_of

pytestmark = pytest.mark.django_db

LIST = "/admin/campaigns/messagetemplate/"
ADD = f"{LIST}add/"


def fields_of(*texts: tuple[str, str], **changes) -> dict[str, object]:
    fields: dict[str, object] = {
        "name": "Greeting",
        "body": "Hello",
        "texts-TOTAL_FORMS": len(texts),
        "texts-INITIAL_FORMS": 0,
    }
    for n, (language, body) in enumerate(texts):
        fields |= {f"texts-{n}-language": language, f"texts-{n}-body": body}
    return {**fields, **changes}


def make_template(name: str = "Greeting", **texts: str) -> MessageTemplate:
    template = MessageTemplate.objects.create(name=name, body="Hello {{ first_name }}")
    for language, body in texts.items():
        TemplateText.objects.create(template=template, language=language, body=body)
    return template


def test_a_template_is_written_in_several_languages(client):
    user = sign_in(client, "view_messagetemplate", "add_messagetemplate", "change_messagetemplate")
    client.post(ADD, fields_of(("RU", "Привет\r\nвсем"), ("pt_BR", "Oi")))
    template = MessageTemplate.objects.get()
    assert template.texts_by_language() == {"pt-br": "Oi", "ru": "Привет\nвсем"}
    assert template.created_by == user
    assert AuditEvent.objects.get().action == "template_written"
    assert "Portuguese" in text_of(client.get(LIST))


def test_the_browser_keeps_what_is_written_until_a_page_says_that_it_is_saved(client):
    user = sign_in(client, "view_messagetemplate", "add_messagetemplate", "change_messagetemplate")
    assert f'data-keeper="{user.pk}:messagetemplate:new"' in client.get(ADD).content.decode()
    refused = client.post(ADD, fields_of(body="Hello {{ name"))
    assert f"saved-by-{user.pk}" not in refused.content.decode()
    saved = client.post(ADD, fields_of(), follow=True)
    assert f"saved-by-{user.pk}" in saved.content.decode()
    template = MessageTemplate.objects.get()
    change = f"{LIST}{template.pk}/change/"
    assert f'data-keeper="{user.pk}:messagetemplate:{template.pk}"' in client.get(change).content.decode()
    sign_in(client, "view_messagetemplate", username="viewer")
    assert "data-keeper" not in client.get(change).content.decode()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (fields_of(body="Hello {{ name"), "not closed"),
        (fields_of(("ru", "Привет {{ }}")), "empty placeholder"),
        (fields_of((" - ", "Привет")), "Say which language this is"),
        (fields_of(("ru", "Привет"), ("RU", "Здравствуйте")), "duplicate"),
    ],
)
def test_what_cannot_work_is_refused(client, fields, words):
    sign_in_superuser(client)
    assert words in text_of(client.post(ADD, fields))
    assert not MessageTemplate.objects.exists()


def test_a_campaign_copies_the_texts_of_a_template_without_scripts_and_saves_nothing_yet(client):
    sign_in_superuser(client)
    template = make_template(ru="Привет")
    fields = form_of(client, include_groups=[make_group().pk], template=template.pk, body="Old", _use_template="1")
    del fields["_save"]
    page = client.post(ADD_CAMPAIGN, fields)
    form = page.context["adminform"].form
    assert "Nothing is saved yet" in text_of(page)
    assert form["body"].value() == "Hello {{ first_name }}"
    assert form["texts"].value() == [("ru", "Привет")]
    assert not Campaign.objects.exists()


def test_the_campaign_keeps_texts_and_template_and_later_changes_of_the_template_change_nothing(client):
    sign_in_superuser(client)
    template = make_template(ru="Привет")
    texts: dict[str, Any] = {"texts-language": ["RU ", ""], "texts-body": ["Привет\r\nвсем", ""]}
    client.post(ADD_CAMPAIGN, form_of(client, include_groups=[make_group().pk], template=template.pk, **texts))
    campaign = Campaign.objects.get()
    assert (campaign.texts, campaign.template) == ({"ru": "Привет\nвсем"}, template)
    TemplateText.objects.update(body="Другое")
    campaign.refresh_from_db()
    assert campaign.texts == {"ru": "Привет\nвсем"}


@pytest.mark.parametrize(
    ("languages", "bodies", "words"),
    [
        (["ru", "RU"], ["a", "b"], "is there twice"),
        (["", ""], ["a", ""], "has no language"),
        (["ru", ""], [" ", ""], "is empty"),
        (["russian-language", ""], ["a", ""], "is no language"),
        (["ru", ""], ["{{ a", ""], "In Russian:"),
    ],
)
def test_texts_of_a_campaign_that_cannot_work_are_refused(client, languages, bodies, words):
    sign_in_superuser(client)
    texts: dict[str, Any] = {"texts-language": languages, "texts-body": bodies}
    assert words in text_of(client.post(ADD_CAMPAIGN, form_of(client, include_groups=[make_group().pk], **texts)))
    assert not Campaign.objects.exists()


def test_the_page_is_given_a_templates_texts(client):
    sign_in(client, "add_campaign")
    template = make_template(ru="Привет")
    url = f"/admin/campaigns/campaign/template/{template.pk}/"
    assert client.get(url).json() == {"body": "Hello {{ first_name }}", "texts": {"ru": "Привет"}}
    client.logout()
    sign_in(client, "view_campaign", username="viewer")
    assert client.get(url).status_code == 403


def test_an_archived_template_is_offered_to_no_campaign_but_the_one_that_has_it(client):
    sign_in_superuser(client)
    template = make_template()
    client.post(LIST, {"action": "archive", "_selected_action": [template.pk]})
    template.refresh_from_db()
    assert template.is_archived
    assert "Greeting" not in text_of(client.get(ADD_CAMPAIGN))
    campaign = make_campaign(template=template)
    assert "Greeting" in text_of(client.get(campaign_url(campaign)))


def test_a_campaigns_texts_become_a_template_under_a_free_name(client):
    sign_in_superuser(client)
    campaign = make_campaign(texts={"ru": "Привет"})
    for name in ("Sale", "Sale 2"):
        response = client.post(campaign_url(campaign, "as_template"))
        template = MessageTemplate.objects.get(name=name)
        assert response.url == template.get_absolute_url()
        assert (template.body, template.texts_by_language()) == ("Hello", {"ru": "Привет"})
    assert client.get(campaign_url(campaign, "as_template")).status_code == 405


def test_templates_are_written_by_those_who_may(client):
    sign_in(client, "view_messagetemplate", "view_campaign")
    template = make_template(ru="Привет")
    page = client.get(template.get_absolute_url())
    assert "Привет" in text_of(page)
    assert 'name="body"' not in page.content.decode()
    assert client.post(campaign_url(make_campaign(), "as_template")).status_code == 403


def test_the_list_takes_the_same_queries_for_one_template_and_for_many(client, django_assert_num_queries):
    sign_in_superuser(client)
    make_template("A", ru="Привет")
    client.get(LIST)
    with django_assert_num_queries(8):  # session, user, unread, gateways, heartbeat, count, rows, texts
        client.get(LIST)
    for n in range(5):
        make_template(f"B{n}", ru="Привет", de="Hallo")
    with django_assert_num_queries(8):
        client.get(LIST)


def test_deleting_is_written_down(client):
    sign_in_superuser(client)
    template = make_template()
    client.post(f"{LIST}{template.pk}/delete/", {"post": "yes"})
    assert not MessageTemplate.objects.exists()
    assert AuditEvent.objects.get().action == "template_deleted"


def test_a_started_campaign_shows_its_languages(client):
    sign_in(client, "view_campaign")
    campaign = make_campaign(texts={"ru": "Привет"})
    page = text_of(client.get(campaign_url(campaign)))
    assert "Russian Привет" in page
