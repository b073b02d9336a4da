"""Who is in the audience, and in which order of reasons somebody is left out."""

from __future__ import annotations

import pytest

from campaigns import optouts
from campaigns.audience import audience, opted_out_numbers, plan
from campaigns.composing import Template
from campaigns.models import CampaignKind, Consent, Contact, OptOutSource
from tests.campaigns.building import make_contact, make_group, number

pytestmark = pytest.mark.django_db


def planned(text: str = "Hello", kind: str = CampaignKind.SERVICE, limit: int | None = None):
    return plan(Contact.objects.order_by("pk"), Template(text), kind=kind, limit=limit)


def test_included_and_excluded_groups_overlap_as_expected():
    a, b, c = make_group("A"), make_group("B"), make_group("C")
    make_contact(number(1), a)
    make_contact(number(2), a, b)
    make_contact(number(3), b, c)
    make_contact(number(4))

    def numbers(*args: list[int]) -> list[str]:
        return [str(contact.phone_number.as_e164) for contact in audience(*args)]

    assert numbers([a.pk, b.pk]) == [number(1), number(2), number(3)]
    assert numbers([a.pk, b.pk], [c.pk]) == [number(1), number(2)]
    assert numbers([a.pk], [a.pk]) == []


def test_marketing_goes_to_nobody_who_has_withdrawn_consent_and_service_messages_do():
    make_contact(number(1), consent=Consent.WITHDRAWN)
    assert planned(kind=CampaignKind.MARKETING)[0].reason == "no_consent"
    assert planned(kind=CampaignKind.SERVICE)[0].reason == ""


def test_an_opt_out_goes_before_every_other_reason(settings):
    settings.SMS_ONLY_TO = [number(2)]
    make_contact(number(1), consent=Consent.WITHDRAWN)
    optouts.record_opt_out(number(1), source=OptOutSource.OPERATOR)
    assert planned("{{ nothing }}", CampaignKind.MARKETING)[0].reason == "opted_out"


def test_a_text_that_misses_a_value_is_not_half_written():
    make_contact(number(1))
    (one,) = planned("Hello {{ a }} {{ b }}")
    assert (one.body, one.reason, one.reason_text, one.segment_count) == ("", "missing_value", "a, b", 0)


def test_a_number_that_the_guard_cannot_read_is_called_invalid(settings):
    settings.SMS_ALLOWED_COUNTRIES = ["RU"]
    Contact.objects.bulk_create([Contact(phone_number="+19999999999")])
    assert planned()[0].reason == "invalid_number"


def test_attributes_can_be_put_into_a_text():
    make_contact(number(1), first_name="Anna", attributes={"Order No": 17})
    (one,) = planned("{{ full_name }}: {{ order_no }} {{ phone_number }}")
    assert one.body == f"Anna: 17 {number(1)}"
    assert one.name == "Anna"


def test_a_limit_takes_the_first_ones():
    for n in range(3):
        make_contact(number(n))
    assert [one.phone_number for one in planned(limit=2)] == [number(0), number(1)]


def test_many_numbers_are_looked_up_in_parts():
    optouts.record_opt_out(number(1234), source=OptOutSource.IMPORT)
    assert opted_out_numbers(number(n) for n in range(1500)) == {number(1234)}


def test_bounds_hold_for_people_and_their_groups():
    everybody, others = make_group("Everybody"), make_group("Others")
    people = [make_contact(number(n), everybody, *([others] if n == 3 else [])) for n in range(1, 6)]
    ids = [one.pk for one in people]
    assert list(audience([everybody.pk], after=ids[0], up_to=ids[3])) == people[1:4]
    assert list(audience([everybody.pk], [others.pk], after=ids[0], up_to=ids[3])) == [people[1], people[3]]
    assert list(audience([everybody.pk, others.pk], after=ids[3])) == people[4:]
