"""The link in a text: for one number, unguessable, and nothing happens by looking at it."""

from __future__ import annotations

import re

import pytest
from django.core.cache import cache
from django.test import Client

from campaigns import unsubscribe_view, unsubscribing
from campaigns.audience import plan
from campaigns.composing import Template
from campaigns.forecasting.foreseen import foresee
from campaigns.models import Contact, OptOut, OptOutSource, SentMessage
from campaigns.single import send_test
from campaigns.unsubscribing import NoSuchLink, number_of, token_for
from tests.campaigns.building import launched, make_campaign, make_contact, make_group, number
from tests.campaigns.screens import text_of

pytestmark = pytest.mark.django_db
SITE = "https://sms.example.org"


@pytest.fixture(autouse=True)
def site(settings):
    settings.SITE_URL = SITE
    cache.clear()


@pytest.fixture
def phone() -> Client:
    """A browser that nobody is signed in with, and that keeps no cookies."""
    return Client(enforce_csrf_checks=True)


# --- the token --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phone_number", ["+79990000001", "+12025550101", "+525512345678", "+4915123456789", "+35312345678"]
)
def test_a_link_names_its_number_and_hides_it(phone_number):
    token = token_for(phone_number)
    assert number_of(token) == phone_number
    assert re.fullmatch(r"[\w-]{20}", token)
    assert phone_number[-4:] not in token


def test_the_links_of_neighbours_have_nothing_in_common():
    tokens = [token_for(number(n)) for n in range(50)]
    assert len({token[:4] for token in tokens}) > 45
    assert len({token[-4:] for token in tokens}) > 45


def test_both_spellings_of_a_number_have_one_link():
    assert token_for("+5215512345678") == token_for("+525512345678")


def test_a_link_with_another_letter_is_nobodys():
    token = token_for(number(1))
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        with pytest.raises(NoSuchLink):
            number_of(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "x", "A" * 20, "A" * 24, "ü" * 20, "A" * 4000, "====", "A" * 18])
def test_what_is_no_link_is_refused(token):
    with pytest.raises(NoSuchLink):
        number_of(token)


def test_links_outlive_a_change_of_the_secret_key(settings):
    settings.SECRET_KEY = "old"
    token = token_for(number(1))
    settings.SECRET_KEY = "new"
    with pytest.raises(NoSuchLink):
        number_of(token)
    settings.SECRET_KEY_FALLBACKS = ["old"]
    assert number_of(token) == number(1)


# --- in a text --------------------------------------------------------------------------------------------------------


def test_each_person_gets_a_link_of_their_own():
    make_contact(number(1), first_name="Anna")
    make_contact(number(2))
    first, second = plan(Contact.objects.order_by("pk"), Template("Bye: {{ Unsubscribe_Link }}"), kind="service")
    assert first.body == f"Bye: {SITE}/u/{token_for(number(1))}/"
    assert second.body == f"Bye: {SITE}/u/{token_for(number(2))}/"


def test_a_campaign_with_the_link_can_be_sent_and_without_an_address_it_says_what_is_missing(settings):
    campaign = make_campaign(make_group(contacts=1), body="Sale! {{ unsubscribe_link }}")
    assert foresee(campaign).problems == []
    settings.SITE_URL = ""
    assert "set SITE_URL" in " ".join(foresee(campaign).problems)


def test_a_test_message_has_the_link_of_whoever_tries_it(provider):
    campaign = make_campaign(make_group(contacts=1), body="Sale! {{ unsubscribe_link }}")
    send_test(campaign, number(5), actor=None)
    assert token_for(number(5)) in SentMessage.objects.get().body


# --- the page ---------------------------------------------------------------------------------------------------------


def url(phone_number: str) -> str:
    return unsubscribing.unsubscribe_link(phone_number).removeprefix(SITE)


def test_looking_at_it_changes_nothing_and_a_press_opts_out(phone):
    waiting = launched(contacts=1).messages.get()
    for look in (phone.get, phone.head):
        assert look(url(number(1))).status_code == 200
    assert not OptOut.objects.exists()
    page = text_of(phone.get(url(number(1))))
    assert "ending in …01" in page
    assert number(1) not in page
    assert "Done." in text_of(phone.post(url(number(1))))
    opt_out = OptOut.objects.get()
    assert (opt_out.phone_number, opt_out.source) == (number(1), OptOutSource.LINK)
    waiting.refresh_from_db()
    assert (waiting.status, waiting.reason) == ("suppressed", "opted_out")


def test_it_works_without_a_contact_and_twice(phone):
    for _press in range(2):
        assert phone.post(url(number(77))).status_code == 200
    assert OptOut.objects.count() == 1


def test_a_wrong_link_says_what_to_do_instead_and_opts_out_nobody(phone):
    response = phone.post("/u/AAAAAAAAAAAAAAAAAAAA/")
    assert response.status_code == 404
    assert "Reply STOP" in text_of(response)
    assert not OptOut.objects.exists()


def test_whoever_tries_many_wrong_links_has_to_wait_and_others_need_not(phone, settings):
    for _try in range(unsubscribe_view.WRONG_LINKS):
        assert phone.get("/u/AAAAAAAAAAAAAAAAAAAA/").status_code == 404
    assert phone.get("/u/AAAAAAAAAAAAAAAAAAAA/").status_code == 429
    assert phone.get("/u/AAAAAAAAAAAAAAAAAAAA/", REMOTE_ADDR="192.0.2.9").status_code == 404
    assert phone.post(url(number(1))).status_code == 200, "a right link always works"


def test_one_link_is_not_pressed_for_ever(phone):
    for _press in range(unsubscribe_view.PRESSES):
        assert phone.post(url(number(1))).status_code == 200
    assert phone.post(url(number(1))).status_code == 429


def test_no_page_of_it_is_kept_or_listed_by_anybody(phone):
    response = phone.get(url(number(1)))
    assert "no-store" in response.headers["Cache-Control"]
    assert "noindex" in response.content.decode()
    assert response.headers["Referrer-Policy"] == "same-origin"
