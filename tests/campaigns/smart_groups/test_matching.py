"""Who meets conditions: the same people on both databases."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import timezone

from campaigns.models import (
    Contact,
    ContactImport,
    ContactImportRow,
    InboundMessage,
    MessageStatus,
    OptOutSource,
    Purpose,
    RowKind,
)
from campaigns.optouts import record_opt_out
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, number
from tests.campaigns.smart_groups.conditions import attribute, block, on, who

pytestmark = pytest.mark.django_db


@pytest.fixture
def three() -> list[Contact]:
    return [
        make_contact(number(1), first_name="Anna", last_name="Orlova", language="ru", attributes={"city": "Kazan"}),
        make_contact(number(2), first_name="Boris", email="boris@example.com", attributes={"City": "Tver", "n": 7}),
        make_contact("+4915123456789", first_name="Clara", consent="given"),
    ]


def test_a_text_is_compared_in_every_way(three):
    assert who(on("first_name", "equals", "anna")) == ["Anna"]
    assert who(on("first_name", "not_equals", "Anna")) == ["Boris", "Clara"]
    assert who(on("first_name", "contains", "RI")) == ["Boris"]
    assert who(on("last_name", "starts_with", "orl")) == ["Anna"]
    assert who(on("email", "filled")) == ["Boris"]
    assert who(on("email", "empty")) == ["Anna", "Clara"]
    assert who(on("language", "equals", "ru")) == ["Anna"]
    assert who(on("region", "equals", "DE")) == ["Clara"]


def test_signs_that_mean_something_to_the_database_are_only_letters(three):
    make_contact(number(9), first_name="100%", attributes={"note": "50%_off"})
    assert who(on("first_name", "contains", "%")) == ["100%"]
    assert who(attribute("note", "contains", "%_")) == ["100%"]
    assert who(attribute("note", "contains", "0_")) == []


def test_a_number_is_compared_in_any_spelling_or_by_its_beginning(three):
    assert who(on("phone_number", "equals", "+49 151 23456789")) == ["Clara"]
    assert who(on("phone_number", "not_equals", "+4915123456789")) == ["Anna", "Boris"]
    assert who(on("phone_number", "starts_with", "+7 999")) == ["Anna", "Boris"]
    assert who(on("phone_number", "starts_with", "none")) == []


def test_an_attribute_is_found_whatever_capitals_its_name_has(three):
    assert who(attribute("city", "equals", "Kazan")) == ["Anna"]
    assert who(attribute("city", "equals", "Tver")) == ["Boris"]
    assert who(attribute("CITY", "filled")) == ["Anna", "Boris"]


def test_an_attribute_that_is_missing_is_neither_equal_nor_filled(three):
    assert who(attribute("city", "not_equals", "Kazan")) == ["Boris", "Clara"]
    assert who(attribute("city", "empty")) == ["Clara"]
    assert who(attribute("city", "contains", "A"), combine="none") == ["Boris", "Clara"]
    assert who(attribute("city", "starts_with", "t")) == ["Boris"]


def test_a_text_equals_a_number_that_was_stored_as_one(three):
    assert who(attribute("n", "equals", "7")) == ["Boris"]


@pytest.mark.parametrize("name", ["2024", "a b", "it's", "100%", "Ж"])
def test_any_name_of_an_attribute_works(three, name):
    make_contact(number(4), first_name="Dora", attributes={"_".join(name.split()): "x"})
    assert who(attribute(name, "equals", "x")) == ["Dora"]
    assert who(attribute(name, "starts_with", "X")) == ["Dora"]
    assert who(attribute(name, "filled")) == ["Dora"]


def test_numbers_are_compared_as_numbers_wherever_they_are_written():
    for n, value in enumerate([9, "10", 10.5, "ten", None, ""]):
        make_contact(number(n + 1), first_name=str(value), attributes={} if value is None else {"age": value})
    assert who(attribute("age", "at_least", 10, "number")) == ["10", "10.5"]
    assert who(attribute("age", "at_most", 9.5, "number")) == ["9"]
    assert who(attribute("age", "equals", 10, "number")) == ["10"]
    assert who(attribute("age", "not_equals", 10, "number")) == ["9", "10.5", "ten", "None", ""]
    assert who(attribute("age", "at_least", 10, "number"), combine="none") == ["9", "ten", "None", ""]


def test_dates_are_compared_as_dates():
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    for n, value in enumerate(["2026-03-01", "1990-03-10", "2026-03-15", "soon"]):
        make_contact(number(n + 1), first_name=value, attributes={"day": value})

    def whose(comparison, value=None):
        return who(attribute("day", comparison, value, "date"), as_of=noon)

    assert whose("equals", "2026-03-01") == ["2026-03-01"]
    assert whose("before", "2026-03-01") == ["1990-03-10"]
    assert whose("after", "2026-03-01") == ["2026-03-15"]
    assert whose("in_last_days", 9) == ["2026-03-01"]
    assert whose("in_last_days", 8) == []
    assert whose("in_next_days", 5) == ["2026-03-15"]
    assert whose("anniversary") == ["1990-03-10"]


def test_yes_and_no_are_booleans():
    for n, value in enumerate([True, False, "yes"]):
        make_contact(number(n + 1), first_name=str(value), attributes={"vip": value})
    make_contact(number(4), first_name="nothing")
    assert who(attribute("vip", "yes", kind="yes_no")) == ["True"]
    assert who(attribute("vip", "no", kind="yes_no")) == ["False"]
    assert who(attribute("vip", "empty", kind="yes_no")) == ["nothing"]


def test_groups_consent_and_opt_outs():
    group = make_group("A")
    make_contact(number(1), group, first_name="in")
    make_contact(number(2), first_name="out", consent="withdrawn")
    record_opt_out(number(2), source=OptOutSource.OPERATOR)
    assert who(on("group", "in", group.pk)) == ["in"]
    assert who(on("group", "not_in", group.pk)) == ["out"]
    assert who(on("consent", "equals", "withdrawn")) == ["out"]
    assert who(on("consent", "not_equals", "withdrawn")) == ["in"]
    assert who(on("opted_out", "yes")) == ["out"]
    assert who(on("opted_out", "no")) == ["in"]


def test_a_group_that_is_gone_has_nobody():
    make_contact(number(1), first_name="Anna")
    assert who(on("group", "in", 999)) == []
    assert who(on("group", "not_in", 999)) == ["Anna"]


def test_an_import_means_its_good_rows():
    for n in (1, 2, 3):
        make_contact(number(n), first_name=str(n))
    contact_import = ContactImport.objects.create(file_name="a.csv")
    for n, kind in ((1, RowKind.NEW), (2, RowKind.DUPLICATE)):
        ContactImportRow.objects.create(
            contact_import=contact_import, number=n, kind=kind, phone_number=number(n), cells=[]
        )
    assert who(on("import", "in", contact_import.pk)) == ["1"]
    assert who(on("import", "not_in", contact_import.pk)) == ["2", "3"]


def test_how_long_somebody_has_been_a_contact():
    for n, days in ((1, 0), (2, 10), (3, 100)):
        contact = make_contact(number(n), first_name=str(days))
        Contact.objects.filter(pk=contact.pk).update(created_at=timezone.now() - timedelta(days=days))
    assert who(on("created_at", "in_last_days", 30)) == ["0", "10"]
    day = date.today() - timedelta(days=10)
    assert who(on("created_at", "before", day.isoformat())) == ["100"]
    assert who(on("created_at", "after", day.isoformat())) == ["0"]


def test_what_somebody_was_sent_and_what_became_of_it():
    sale, other = make_campaign(name="Sale"), make_campaign(name="Other")
    S = MessageStatus
    states = [S.DELIVERED, S.UNDELIVERED, S.UNKNOWN, S.SENT, S.SUPPRESSED, S.QUEUED, S.REJECTED]
    for n, status in enumerate(states):
        contact = make_contact(number(n + 1), first_name=str(status))
        make_message(number(n + 1), contact=contact, campaign=sale, status=status)
    make_contact(number(20), first_name="nothing")

    def whose(comparison="was", campaign=sale.pk, **more):
        return who(on("message", comparison, campaign=campaign, **more))

    assert whose() == ["delivered", "undelivered", "unknown", "sent"]
    assert whose(became="delivered") == ["delivered"]
    assert whose(became="not_delivered") == ["undelivered", "rejected"]
    assert whose(became="unknown") == ["unknown"]
    assert whose(became="no_receipt") == ["sent"]
    assert whose(became="left_out") == ["suppressed"]
    assert whose("was_not") == ["suppressed", "queued", "rejected", "nothing"]
    assert whose(campaign=other.pk) == []
    assert whose(campaign=None) == whose()


def test_days_of_messages_count_from_when_they_were_written_or_sent():
    now = timezone.now()
    for n, (created, sent) in enumerate([(40, 20), (40, 40), (5, None)]):
        contact = make_contact(number(n + 1), first_name=f"{created}/{sent}")
        make_message(
            number(n + 1),
            contact=contact,
            status=MessageStatus.SENT,
            purpose=Purpose.QUICK,
            created_at=now - timedelta(days=created),
            sent_at=sent and now - timedelta(days=sent),
        )
    assert who(on("message", "was", days=30)) == ["40/20", "5/None"]
    assert who(on("message", "was_not", days=30)) == ["40/40"]


def test_tests_of_a_campaign_are_no_messages_to_somebody():
    contact = make_contact(number(1), first_name="Anna")
    make_message(number(1), contact=contact, status=MessageStatus.SENT, purpose=Purpose.TEST)
    assert who(on("message", "was_not")) == ["Anna"]


def test_who_wrote_to_us():
    contact = make_contact(number(1), first_name="Anna")
    make_contact(number(2), first_name="Boris")
    InboundMessage.objects.create(
        gateway="default",
        phone_number=number(1),
        contact=contact,
        text="hi",
        fingerprint="x",
        received_at=timezone.now() - timedelta(days=10),
    )
    assert who(on("reply", "yes")) == ["Anna"]
    assert who(on("reply", "no")) == ["Boris"]
    assert who(on("reply", "yes", days=5)) == []


def test_blocks_stand_in_each_other(three):
    kazan, german = attribute("city", "equals", "Kazan"), on("region", "equals", "DE")
    assert who(kazan, german, combine="any") == ["Anna", "Clara"]
    assert who(kazan, german, combine="none") == ["Boris"]
    assert who(on("region", "equals", "RU"), block(kazan, combine="none")) == ["Boris"]
    assert who(block(kazan, german, combine="any"), block(german, combine="none")) == ["Anna"]
