"""Who may not see whole numbers and texts finds none: on no page, in no answer, under no address."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from campaigns import masking
from campaigns.bulk import run, start
from campaigns.models import BulkAction, BulkStatus, Contact, User
from tests.campaigns.everything import FORMER, NUMBER, NUMBERS, OTHER, TEXTS, make_everything, member_of
from tests.campaigns.test_who_may import EVERYBODYS, NAMES, OWN, address, row_of, standard_model

pytestmark = pytest.mark.django_db


def leaks(response: Any) -> list[str]:
    """Numbers in any spelling, and texts, that stand in an answer."""
    page = b"".join(response) if response.streaming else response.content
    text = html.unescape(page.decode(errors="replace"))
    digits = re.sub(r"[^\d•]+", "", re.sub(r"[\s()\-.+\u00a0]+", "", text))
    found = [number for number in NUMBERS if number.lstrip("+")[1:] in digits]
    return found + [word for word in TEXTS if word in text]


@pytest.fixture
def looker() -> User:
    """May look at everything that there is, and see neither numbers nor texts."""
    user = User.objects.create(username="lena", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    user.user_permissions.remove(
        *Permission.objects.filter(codename__in=["view_full_numbers", "view_message_text"]),
    )
    return user


LOOKED_AT = [name for name in NAMES if (name in OWN or standard_model(name)) and row_of(name)[0][0] == "GET"]


@pytest.mark.parametrize("name", LOOKED_AT)
def test_no_page_shows_a_whole_number_or_a_text(client, looker, name):
    things = make_everything()
    client.force_login(looker)
    response = client.get(address(name, things))
    assert response.status_code in (200, 302, 403, 404)
    assert leaks(response) == []


@pytest.mark.parametrize("address_of", ["sent", "twin"])
def test_nor_the_pages_of_what_was_sent(client, looker, address_of):
    thing = make_everything()[address_of]
    client.force_login(looker)
    response = client.get(reverse(f"admin:campaigns_{thing._meta.model_name}_change", args=[thing.pk]))
    assert response.status_code == 200
    assert leaks(response) == []


def test_the_test_itself_finds_numbers_and_texts(client):
    things = make_everything()
    client.force_login(member_of("Administrator"))
    assert {NUMBER, "zebramessage", "zebraprovider"} <= set(
        leaks(client.get(address("campaigns_sentmessage_change", things)))
    )
    assert {NUMBER, "zebraanswer"} <= set(leaks(client.get(address("campaigns_conversation_change", things))))


@pytest.mark.parametrize("name", ["index", "password_change"])
def test_nor_the_pages_that_everybody_has(client, looker, name):
    make_everything()
    client.force_login(looker)
    assert name in EVERYBODYS
    assert leaks(client.get(reverse(f"admin:{name}"))) == []


@pytest.mark.parametrize("kind", ["contact", "sentmessage", "optout", "conversation", "inboundmessage", "auditevent"])
def test_a_whole_number_finds_its_rows_and_the_answer_is_masked(client, looker, kind):
    make_everything()
    client.force_login(looker)
    number = OTHER if kind == "optout" else NUMBER
    response = client.get(reverse(f"admin:campaigns_{kind}_changelist"), {"q": number})
    assert response.status_code == 200
    assert len(response.context["cl"].result_list) == 1
    words = html.unescape(response.content.decode()).replace(
        number.lstrip("+"), ""
    )  # what was typed stands in the search box
    assert number[-5:] not in words


@pytest.mark.parametrize("term", [NUMBER, NUMBER[:9], "Anna", "zebra"])
@pytest.mark.parametrize("shape", ["", "list"])
def test_the_search_of_every_page_shows_none_either(client, looker, term, shape):
    make_everything()
    client.force_login(looker)
    response = client.get(reverse("admin:search"), {"q": term, "as": shape})
    assert response.status_code == 200
    found = html.unescape(response.content.decode()).replace(term.lstrip("+"), "")
    assert not [number for number in NUMBERS if number[4:] in found]
    assert not [word for word in TEXTS if word in found]


@pytest.mark.parametrize("term", ["+79123•••67", "+79•••0167", "+7912••"])
def test_the_log_is_not_searched_by_more_of_a_number_than_it_shows(client, looker, term):
    make_everything()
    client.force_login(looker)
    page = reverse("admin:campaigns_sentmessage_changelist")
    assert len(client.get(page, {"q": term}).context["cl"].result_list) == 0
    assert len(client.get(page, {"q": "+7••••••••67"}).context["cl"].result_list) == 1


@pytest.mark.parametrize("kind", ["contact", "sentmessage", "optout", "conversation", "inboundmessage", "auditevent"])
def test_the_beginning_of_a_number_finds_nothing(client, looker, kind):
    """Otherwise ten questions would tell the next digit."""
    make_everything()
    client.force_login(looker)
    response = client.get(reverse(f"admin:campaigns_{kind}_changelist"), {"q": NUMBER[:9]})
    assert len(response.context["cl"].result_list) == 0
    client.force_login(member_of("Administrator"))
    response = client.get(reverse(f"admin:campaigns_{kind}_changelist"), {"q": NUMBER[:9]})
    assert len(response.context["cl"].result_list) > 0


@pytest.mark.parametrize(
    ("kind", "lookup"),
    [
        ("sentmessage", "phone_number__startswith"),
        ("sentmessage", "body__contains"),
        ("sentmessage", "contact__phone_number__startswith"),
        ("optout", "note__contains"),
        ("campaign", "body__icontains"),
        ("inboundmessage", "text__contains"),
        ("conversation", "last_text__contains"),
    ],
)
def test_no_filter_in_an_address_tells_what_may_not_be_seen(client, looker, kind, lookup):
    make_everything()
    client.force_login(looker)
    response = client.get(reverse(f"admin:campaigns_{kind}_changelist"), {lookup: "+79"})
    assert response.status_code == 400 or response.url.endswith("?e=1")  # the log leaves out what it does not know


@pytest.mark.parametrize("kind", ["campaign", "messagetemplate", "optout", "inboundmessage"])
def test_a_word_of_a_text_finds_nothing(client, looker, kind):
    make_everything()
    client.force_login(looker)
    for word in TEXTS:
        found = client.get(reverse(f"admin:campaigns_{kind}_changelist"), {"q": word})
        assert len(found.context["cl"].result_list) == 0


def test_an_export_shows_what_whoever_asked_for_it_may_see(looker, settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    make_everything()
    looker.user_permissions.add(*Permission.objects.filter(codename__in=["export_contact", "export_sentmessage"]))
    for list_name in ("contact", "sentmessage"):
        selection = {"filters": {}, "up_to": 10**9}
        action = start("export", list_name, selection, total=2, parameters={"format": "csv"}, actor=looker)
        assert not run(action.pk)
        action.refresh_from_db()
        assert action.status == BulkStatus.DONE
        written = (tmp_path / action.file_path).read_text(encoding="utf-8-sig")
        assert not [number for number in NUMBERS if number[4:] in written]
        assert not [word for word in ("zebramessage",) if word in written]
        assert "+7••••••••67" in written


def test_a_bulk_act_ends_when_whoever_began_it_may_not_do_it_any_more():
    things = make_everything()
    olga = member_of("Operator")
    parameters = {"group": things["contactgroup"].pk}
    selection = {"ids": [things["contact"].pk], "up_to": things["contact"].pk}
    action = start("remove_from_group", "contact", selection, total=1, parameters=parameters, actor=olga)
    olga.groups.clear()
    run(action.pk)
    action = BulkAction.objects.get(pk=action.pk)
    assert action.status == BulkStatus.FAILED
    assert "operator may not do this" in action.problem
    assert things["contact"].groups.count() == 1


def test_masked_numbers_are_equally_long_and_keep_country_and_end():
    nobody = User(username="x", is_active=False)
    with masking.as_seen_by(nobody):
        shown = [masking.number(one) for one in ("+79123450167", "+4915112345678", "+35796123456", "+12025550123")]
        assert shown == ["+7••••••••67", "+49•••••••78", "+357••••••56", "+1••••••••23"]
        assert {len(one) for one in shown} == {masking.WIDTH}
        assert masking.number("7912345") != "7912345"
        for kept in ("", "#1234567890abcde", "MyBank", "1234"):
            assert masking.number(kept) == kept
    assert masking.number(NUMBER) == NUMBER


def test_numbers_in_sentences_are_masked_and_dates_are_not():
    with masking.as_seen_by(User(username="x", is_active=False)):
        words = masking.in_text(f"{NUMBER}, 8 (912) 345-02-68 or +7 912 345 01 67 at 2026-11-26 10:15, 12,000 rows")
    assert "345" not in words
    assert "2026-11-26 10:15, 12,000 rows" in words


def test_nothing_is_masked_where_nobody_reads():
    contact = Contact(phone_number=NUMBER)
    assert NUMBER in str(contact)
    with masking.as_seen_by(User(username="x", is_active=False)):
        assert NUMBER not in str(contact)
        assert FORMER not in masking.number(FORMER)
