"""What is foreseen is what the freeze then writes: people, reasons, segments and money."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone, translation

from campaigns import lifecycle, optouts
from campaigns.erasing import request_erasure
from campaigns.forecasting import counting, running
from campaigns.forecasting.foreseen import Foreseen, foresee
from campaigns.models import Campaign, Contact, ContactGroup, Conversation, MessageStatus, OptOutSource, SentMessage
from tests.campaigns.building import frozen, make_campaign, make_contact, make_group, number, set_prices

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("woken")]

TEXTS = (
    "Sale until the 30th",
    "Распродажа до 30 числа",
    "Hello {{ first_name }}",
    'Hello {{ first_name|default:"friend" }}, {{ City }}!',
    "{{ full_name }} {{ email }} {{ language }} {{ phone_number }}",
    "{{ имя }}: {{ member }} {{ first name }}",
    '{{ note|default:"" }}',
    "{{ unsubscribe_link }} {{ city|default:'x' }}",
)


@pytest.fixture
def crowd(settings) -> ContactGroup:
    """People who are all special in some way."""
    settings.SITE_URL = "https://sms.example.org"
    group = make_group()
    people: list[tuple[str, dict[str, Any]]] = [
        ("+5215512345678", {"first_name": "Ana"}),  # one number in two spellings: whoever comes first gets it
        ("+525512345678", {"first_name": "Ana"}),
        ("+525587654321", {"first_name": "", "attributes": {}}),
        ("+5215587654321", {"first_name": "Luz", "attributes": {"city": "León"}}),
        ("+22951234567", {"first_name": "Koffi"}),
        ("+2290151234567", {"first_name": "Koffi"}),
        (number(1), {"first_name": "Anna", "last_name": "Ivanova", "email": "a@example.org", "language": "ru"}),
        (number(2), {"first_name": "Борис", "attributes": {"City": "Москва", "Note": "x" * 200}}),
        (number(3), {"attributes": {"first_name": "Vera", "CITY": " Omsk ", "member": True}}),
        (number(4), {"first_name": " ", "attributes": {"First Name": "Gleb", "city": "", "City ": "Tula"}}),
        (number(5), {"first_name": "Дарья", "language": "en-GB", "attributes": {"имя": "Даша", "member": False}}),
        (number(6), {"first_name": "D" * 150, "attributes": {"city": 17, "note": None, "member": 3}}),
        (number(7), {"first_name": "🙂" * 70, "attributes": {"city": "\n"}}),
        (number(8), {"first_name": "[{}]" * 30, "consent": "withdrawn"}),
        (number(9), {"first_name": "Egor", "consent": "given", "consent_kind": "marketing"}),
        (number(10), {"first_name": "Zoya", "consent": "given", "consent_kind": "service"}),
        (number(11), {"first_name": "Ira", "consent": "given", "consent_kind": "marketing"}),
        (number(12), {"first_name": "Kim", "consent": "given", "consent_kind": "marketing"}),
        ("+4915123456789", {"first_name": "Jörg", "consent": "given", "consent_kind": "marketing"}),
        ("+37126123456", {"first_name": "Līga", "consent": "given", "consent_kind": "marketing"}),
    ]
    for phone_number, fields in people:
        make_contact(phone_number, group, **fields)
    optouts.record_opt_out(number(11), source=OptOutSource.OPERATOR)
    Conversation.objects.create(
        phone_number=number(12), canonical_number=number(12), held_since=timezone.now(), last_at=timezone.now()
    )
    set_prices(p7="2.5", p7999="3.1", p49="7.77777", p52="1")
    return group


def written(campaign: Campaign) -> dict[str, object]:
    """What the freeze wrote, counted by the rows."""
    lifecycle.launch(campaign, actor=None)
    frozen(campaign)
    rows = list(SentMessage.objects.filter(campaign=campaign))
    queued = [row for row in rows if row.status == MessageStatus.QUEUED]
    costs: dict[str, Decimal] = {}
    for row in queued:
        if row.price is not None:
            costs[row.region] = costs.get(row.region, Decimal(0)) + row.price
    return {
        "audience": len(rows),
        "reasons": Counter(row.reason for row in rows if row.status == MessageStatus.SUPPRESSED),
        "sizes": Counter((row.encoding, str(row.segment_count)) for row in queued),
        "zones": Counter((row.time_zone, row.region) for row in queued),
        "unpriced": sum(row.price is None for row in queued),
        "costs": costs,
    }


def counted(found: Foreseen) -> dict[str, object]:
    tally = found.tally
    return {
        "audience": found.audience,
        "reasons": tally.left_out,
        "sizes": tally.sizes,
        "zones": tally.zones,
        "unpriced": tally.unpriced_people,
        "costs": tally.costs,
    }


@pytest.mark.parametrize("kind", ["service", "marketing"])
@pytest.mark.parametrize("body", TEXTS)
def test_people_reasons_segments_and_money_are_those_that_the_freeze_writes(crowd, body, kind):
    campaign = make_campaign(crowd, body=body, kind=kind)
    assert counted(foresee(campaign)) == written(campaign)


@pytest.mark.parametrize(("part", "chunk"), [(1, 1), (3, 2), (7, 100)])
def test_the_figures_are_the_same_however_the_audience_is_cut(crowd, monkeypatch, part, chunk):
    campaign = make_campaign(crowd, body=TEXTS[3], kind="marketing")
    whole = foresee(campaign)
    monkeypatch.setattr(running, "PART", part)
    monkeypatch.setattr(counting, "CHUNK", chunk)
    in_parts = foresee(campaign)
    assert in_parts.tally == whole.tally
    assert counted(in_parts) == written(campaign)


def test_each_speaker_is_counted_for_the_text_they_get(crowd):
    texts = {"ru": "Здравствуйте, {{ first_name }}", "en": "Good morning"}
    campaign = make_campaign(crowd, body="{{ city }}", texts=texts)
    found = foresee(campaign)
    assert found.languages["ru"] == found.languages["en"] == 1
    assert counted(found) == written(campaign)


def test_an_opt_out_of_somebody_who_was_erased_counts(crowd):
    optouts.record_opt_out(number(9), source=OptOutSource.OPERATOR)
    request_erasure(number(9), reason="asked", actor=None)
    assert not Contact.objects.filter(phone_number=number(9)).exists()
    make_contact(number(9), crowd, first_name="Egor")
    campaign = make_campaign(crowd, body="Hello")
    found = foresee(campaign)
    assert found.suppressed["opted_out"] == 2
    assert counted(found) == written(campaign)


def test_more_opt_outs_than_are_kept_at_hand_are_asked_for_chunk_by_chunk(crowd, monkeypatch):
    monkeypatch.setattr(counting, "AT_HAND", 0)
    campaign = make_campaign(crowd, body="Hello", kind="marketing")
    assert counted(foresee(campaign)) == written(campaign)


def test_numbers_that_the_installation_may_not_write_to_are_left_out_as_the_freeze_does(crowd, settings):
    settings.SMS_ALLOWED_COUNTRIES = ["MX", "DE"]
    campaign = make_campaign(crowd, body="Hello")
    found = foresee(campaign)
    assert found.suppressed["country_not_enabled"] > 5
    assert counted(found) == written(campaign)


def test_yes_and_no_are_counted_in_the_language_in_which_they_are_written(crowd):
    campaign = make_campaign(crowd, body="{{ member }}")
    with translation.override("ru"):
        found = foresee(campaign)
    assert counted(found) == written(campaign)
