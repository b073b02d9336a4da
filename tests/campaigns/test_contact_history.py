"""The page of a contact tells everything that happened, newest first, in a fixed number of queries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from campaigns.consent import record_consent
from campaigns.contact_history import Key, history
from campaigns.merging import merge
from campaigns.models import (
    AuditEvent,
    Consent,
    ConsentChange,
    Contact,
    ContactImport,
    ContactImportRow,
    FormerNumber,
    ImportStatus,
    InboundMessage,
    MessageEvent,
    MessageStatus,
    OptOutSource,
    RowKind,
)
from campaigns.optouts import lift_opt_out, record_opt_out
from tests.campaigns.building import make_campaign, make_contact, make_message, make_user, number, rewrite_trail
from tests.campaigns.screens import sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db
START = datetime(2026, 1, 1, tzinfo=UTC)


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def kinds(contact: Contact, **options) -> list[str]:
    return [entry.kind for entry in history(contact, **options).entries]


def make_reply(to: str, hours: float, **fields) -> InboundMessage:
    return InboundMessage.objects.create(
        gateway="default", phone_number=to, text="Thanks", fingerprint=f"{to}{hours}", received_at=at(hours), **fields
    )


@pytest.fixture
def anna() -> Contact:
    """Somebody to whom everything has happened, an hour after each other."""
    contact = make_contact(number(1), first_name="Anna", consent="given", consented_at=at(1), consent_source="paper")
    Contact.objects.update(created_at=START)
    contact_import = ContactImport.objects.create(file_name="a.csv", status=ImportStatus.DONE, finished_at=at(2))
    ContactImportRow.objects.create(contact_import=contact_import, number=7, kind=RowKind.NEW, phone_number=number(1))
    message = make_message(number(1), contact=contact, campaign=make_campaign(), status=MessageStatus.DELIVERED)
    type(message).objects.update(created_at=at(3))
    MessageEvent.objects.create(message=message, at=at(4), kind="receipt", payload={"status": "delivered"})
    make_reply(number(1), 5)
    act = AuditEvent.objects.create(action="change_contact", actor=make_user(), subject=number(1))
    rewrite_trail(AuditEvent.objects.filter(pk=act.pk), at=at(6))
    opt_out = record_opt_out(number(1), source=OptOutSource.KEYWORD, note="STOP")
    type(opt_out).objects.update(opted_out_at=at(7))
    rewrite_trail(AuditEvent.objects.filter(action="opt_out"), at=at(7))
    ConsentChange.objects.update(happened_at=at(7))
    contact.refresh_from_db()
    return contact


EVERYTHING = ["consent_change", "act", "reply", "event", "message", "import", "consent", "created"]


def test_everything_is_there_newest_first(anna):
    assert kinds(anna) == EVERYTHING


def test_what_happened_to_others_is_not(anna):
    other = make_contact(number(2))
    make_message(number(2), contact=other)
    assert kinds(anna) == EVERYTHING
    assert kinds(other) == ["message", "created"]


@pytest.mark.parametrize("size", [1, 2, 3])
def test_pages_follow_each_other_without_gaps_or_repetitions(anna, size):
    for n in range(5):
        make_message(number(1), contact=anna, created_at=at(3))  # of one moment
        make_reply(number(1), 3 + n / 1000)
    whole = [str(entry.key) for entry in history(anna, size=100).entries]
    found, before = [], None
    while True:
        page = history(anna, before=before, size=size)
        found += [str(entry.key) for entry in page.entries]
        before = page.older
        if before is None:
            break
        assert len(page.entries) == size
        before = Key.read(str(before))
    assert found == whole
    assert len(set(found)) == len(found) == 18


def test_a_page_costs_the_same_however_much_there_is(anna):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            history(Contact.objects.get(pk=anna.pk))
        return len(captured)

    before = queries()
    for n in range(50):
        message = make_message(number(1), contact=anna, campaign=make_campaign())
        MessageEvent.objects.create(message=message, kind="receipt", payload={})
        make_reply(number(1), 10 + n)
    assert queries() == before <= 12


def test_an_opt_out_that_was_lifted_still_shows_when_it_was(anna):
    lift_opt_out(number(1), note="START", actor=None)
    acts = [str(entry.thing.act) for entry in history(anna).entries if entry.kind == "consent_change"]
    assert acts == ["opted_in", "opted_out"]
    assert [entry.thing.action for entry in history(anna).entries if entry.kind == "act"] == ["change_contact"]


def test_an_opt_out_and_a_consent_from_before_there_was_a_history_are_there_too(anna):
    ConsentChange.objects.all().delete()
    rewrite_trail(AuditEvent.objects.filter(action="opt_out"), subject="")
    assert kinds(anna) == ["opt_out", "act", "reply", "event", "message", "import", "consent", "created"]


def test_a_consent_of_which_there_is_a_history_is_told_once(anna):
    record_consent(anna, Consent.GIVEN, source="web form", evidence="ticked", actor=None)
    assert kinds(anna).count("consent_change") == 2
    assert "consent" not in kinds(anna)


def test_a_former_number_tells_until_it_was_given_up(anna):
    contact = make_contact(number(5))
    now = timezone.now()
    FormerNumber.objects.create(contact=contact, phone_number=number(9), until=now)
    make_message(number(9), created_at=now - timedelta(days=1))
    make_message(number(9), created_at=now + timedelta(days=1))  # whoever has it now
    assert kinds(contact) == ["former_number", "created", "message"]


def test_merging_keeps_both_histories(anna):
    other = make_contact(number(3))
    make_message(number(3), contact=other)
    kept = merge(other, anna, actor=make_user("boris"))
    found = kinds(kept)
    assert found[0] in ("act", "former_number")
    assert found.count("message") == 2
    assert {"reply", "import", "event", "consent_change"} <= set(found)


@pytest.mark.parametrize(
    "text", ["", "x", "~~", "2026-01-01~0~1", "2026-01-01T00:00:00+00:00~x~1", f"{at(0)}~0~{2**70}"]
)
def test_a_key_that_nobody_made_is_the_beginning(text):
    assert Key.read(text) is None


def test_a_key_comes_out_as_it_went_in():
    key = Key(at(1), 2, 3)
    assert Key.read(str(key)) == key


# --- the page --------------------------------------------------------------------------------------------------


def page_of(client, contact: Contact, **query) -> str:
    return text_of(client.get(f"/admin/campaigns/contact/{contact.pk}/change/", query))


def test_the_page_says_it_in_words(client, anna):
    sign_in_superuser(client)
    page = page_of(client, anna)
    for words in (
        f"Opted out ({number(1)})",
        "STOP",
        "olga changed the contact",
        "Wrote to us",
        "Thanks",
        "Delivery receipt",
        f"Message to {number(1)}: delivered",
        "Sale · Hello",
        "a.csv, row 7: new",
        "Consent: given",
        "paper",
        "Became a contact",
        "and gets no messages",
    ):
        assert words in page


def test_older_pages_are_a_link_away(client, anna):
    sign_in_superuser(client)
    for n in range(40):
        make_reply(number(1), 100 + n)
    response = client.get(f"/admin/campaigns/contact/{anna.pk}/change/")
    assert "Became a contact" not in text_of(response)
    older = response.context["history_older"]
    page = page_of(client, anna, before=older)
    assert "Became a contact" in page
    assert "Back to the newest" in page


def test_what_somebody_may_not_see_is_not_in_the_history(client, anna):
    sign_in(client, "view_contact", username="viewer")
    page = page_of(client, anna)
    assert "Message to" not in page
    assert "Delivery receipt" not in page
    assert "Wrote to us" not in page
    assert "Became a contact" in page


def test_an_edit_is_recorded_by_the_names_of_its_fields(client):
    user = sign_in_superuser(client)
    contact = make_contact(number(1), first_name="Ana", region="RU", time_zone="Europe/Moscow")
    fields = {"phone_number": number(1), "first_name": "Anna", "consent": "unknown"}
    blank = {"attributes-name": "", "attributes-value": "", "region": "RU", "time_zone": "Europe/Moscow"}
    blank["consent_kind"] = "marketing"
    client.post(f"/admin/campaigns/contact/{contact.pk}/change/", {**fields, **blank})
    event = AuditEvent.objects.get(action="change_contact")
    details = {"fields": ["First name"], "changes": {"First name": ["Ana", "Anna"]}}
    assert (event.actor, event.subject, event.details) == (user, number(1), details)
