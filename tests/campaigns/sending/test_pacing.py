"""That no more goes per second than the gateway and the campaign allow, all workers together."""

from __future__ import annotations

import time as stdlib_time
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from campaigns.models import Campaign, GatewayState, Purpose, SentMessage
from campaigns.sending import dispatch
from campaigns.sending.claim import claim_campaign, look_for_work
from campaigns.sending.pacing import (
    AHEAD_SECONDS,
    FURTHEST,
    cut_reservations,
    limits_of,
    one_second_of,
    reserve,
    rows_per_claim,
    waiting_seconds,
)
from campaigns.single import queue_single
from tests.campaigns import providers
from tests.campaigns.building import assert_adds_up, launched, number, send, statuses

pytestmark = pytest.mark.django_db


def set_gateway_rate(per_second: int | None, unit: str = "messages", alias: str = "default", **fields) -> None:
    values = {"max_per_second": per_second, "rate_unit": unit, **fields}
    GatewayState.objects.update_or_create(alias=alias, defaults=values)


def next_free() -> datetime:
    at = GatewayState.objects.get(alias="default").next_slot_at
    assert at is not None
    return at


def waiting_messages(count: int, segments: int = 1) -> list[SentMessage]:
    return [SentMessage(phone_number=number(n), segment_count=segments) for n in range(count)]


@pytest.fixture
def time_passes(monkeypatch) -> list[float]:
    """Whoever waits for a turn finds that all reserved time is over; how long each of them meant to wait."""
    waits: list[float] = []

    def stand_by(seconds: float) -> None:
        waits.append(seconds)
        for model in (GatewayState, Campaign):
            model.objects.filter(next_slot_at__isnull=False).update(next_slot_at=timezone.now() - timedelta(hours=1))

    monkeypatch.setattr(dispatch, "_stand_by", stand_by)
    monkeypatch.setattr(stdlib_time, "sleep", waits.append)
    return waits


# --- reserving ------------------------------------------------------------------------------------------------


def test_without_a_rate_nothing_waits():
    launched(contacts=1)
    assert limits_of("default", Campaign.objects.get().pk) == []
    assert reserve([], waiting_messages(5)) is not None
    assert rows_per_claim([], 200) == 200
    assert waiting_seconds([]) == 0


@pytest.mark.parametrize(("unit", "seconds"), [("messages", 0.5), ("segments", 1.5)])
def test_a_batch_reserves_the_time_that_its_messages_or_segments_take(unit, seconds):
    set_gateway_rate(10, unit)
    limits = limits_of("default", None)
    assert reserve(limits, waiting_messages(5, segments=3), urgent=True)
    first = next_free()
    assert reserve(limits, waiting_messages(5, segments=3), urgent=True)
    assert next_free() - first == timedelta(seconds=seconds)


def test_time_that_has_passed_unused_is_not_made_up_for():
    set_gateway_rate(10, next_slot_at=timezone.now() - timedelta(hours=1))
    assert reserve(limits_of("default", None), waiting_messages(5))
    assert next_free() > timezone.now() - timedelta(minutes=1)


def test_bulk_waits_when_the_time_is_given_away_and_urgent_messages_get_the_next():
    set_gateway_rate(10, next_slot_at=timezone.now() + timedelta(seconds=AHEAD_SECONDS + 2))
    limits, before = limits_of("default", None), next_free()
    assert reserve(limits, waiting_messages(5)) is None
    assert next_free() == before
    assert reserve(limits, waiting_messages(5), urgent=True)
    assert next_free() - before == timedelta(seconds=0.5)


def test_what_the_gateway_refuses_is_not_taken_from_the_campaign_either():
    campaign = launched(contacts=1, max_per_second=5)
    set_gateway_rate(10, next_slot_at=timezone.now() + timedelta(minutes=1))
    assert reserve(limits_of("default", campaign.pk), waiting_messages(1)) is None
    assert Campaign.objects.get().next_slot_at is None


def test_a_batch_paces_itself_inside_its_time(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(stdlib_time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stdlib_time, "sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    set_gateway_rate(10)
    reservation = reserve(limits_of("default", None), waiting_messages(6))
    assert reservation is not None
    moments = []
    for wave in (1, 2, 3):
        reservation.wait()
        moments.append(round(clock[0], 6))
        reservation.pass_by(waiting_messages(wave))
    assert moments == [100.0, 100.1, 100.3]


def test_after_the_clock_was_set_back_the_sweeper_frees_what_cannot_have_been_reserved():
    soon = timezone.now() + FURTHEST / 2
    set_gateway_rate(10, next_slot_at=timezone.now() + timedelta(hours=1))
    set_gateway_rate(10, alias="backup", next_slot_at=soon)
    assert cut_reservations() == 1
    assert GatewayState.objects.get(alias="default").next_slot_at is None
    assert GatewayState.objects.get(alias="backup").next_slot_at == soon


# --- claiming -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("gateway", "campaign", "rows"), [(3, None, 3), (None, 2, 2), (4, 2, 2), (1, 100, 1)])
def test_a_claim_takes_no_more_than_a_second_of_the_slower_rate(gateway, campaign, rows):
    set_gateway_rate(gateway)
    assert len(claim_campaign(launched(contacts=6, max_per_second=campaign).pk).messages) == rows


def test_a_second_counted_in_segments_has_fewer_messages_but_never_none():
    set_gateway_rate(10, "segments")
    limits = limits_of("default", None)
    assert len(one_second_of(limits, waiting_messages(10, segments=3))) == 3
    assert len(one_second_of(limits, waiting_messages(10, segments=30))) == 1


def test_nothing_is_claimed_while_the_time_is_given_away():
    campaign = launched(contacts=3, max_per_second=1)
    Campaign.objects.update(next_slot_at=timezone.now() + timedelta(seconds=30))
    assert claim_campaign(campaign.pk).messages == []
    work = look_for_work(campaign.pk)
    assert work is not None
    assert 20 < work.wait_seconds <= 30


# --- sending --------------------------------------------------------------------------------------------------


def test_a_campaign_goes_out_in_portions_of_a_second_and_completely(provider, time_passes):
    campaign = send(launched(contacts=7, max_per_second=3))
    assert [len(request.numbers) for request in provider.requests] == [3, 3, 1]
    assert statuses(campaign) == {"sent": 7}
    assert time_passes
    assert_adds_up(campaign)


def test_long_texts_go_out_in_smaller_portions_when_segments_are_counted(provider, time_passes):
    campaign = send(launched(contacts=5, body="x" * 300, max_per_second=4, rate_unit="segments"))
    assert [len(request.numbers) for request in provider.requests] == [2, 2, 1]
    assert statuses(campaign) == {"sent": 5}
    assert_adds_up(campaign)


def test_requests_of_one_message_are_spread_over_the_second(adapter, provider, monkeypatch):
    adapter(providers.OneByOne)
    pauses: list[float] = []
    monkeypatch.setattr(stdlib_time, "monotonic", lambda: 0.0)
    monkeypatch.setattr(stdlib_time, "sleep", pauses.append)
    dispatch.send_claim(claim_campaign(launched(contacts=6, max_per_second=10).pk))
    assert len(provider.requests) == 6
    assert [round(pause, 1) for pause in pauses] == [0.2, 0.4], "three waves of two connections"


def test_urgent_messages_overtake_a_campaign_that_waits_for_its_time(provider, monkeypatch):
    campaign = launched(contacts=2, max_per_second=1)
    Campaign.objects.update(next_slot_at=timezone.now() + timedelta(minutes=1))
    monkeypatch.setattr(dispatch, "_stand_by", lambda seconds: queue_single(number(9), "Hi", purpose=Purpose.QUICK))
    provider.during = lambda request: Campaign.objects.update(status="paused")
    send(campaign)
    assert [request.numbers for request in provider.requests] == [[number(9)]]


def test_single_messages_take_their_share_of_the_gateways_rate(provider, time_passes):
    set_gateway_rate(1)
    for n in range(3):
        queue_single(number(n), "Hi", purpose=Purpose.QUICK)
    assert not dispatch.send_waiting(None, seconds=60)
    assert [len(request.numbers) for request in provider.requests] == [1, 1, 1]
    assert next_free() - timezone.now() > timedelta(seconds=1), "each took a second, one after the other"


def test_a_gateway_whose_time_is_given_away_keeps_no_other_from_being_sent(settings, provider, time_passes):
    settings.SMS_GATEWAYS = dict.fromkeys(("default", "backup"), settings.SMS_SETTINGS)
    set_gateway_rate(1, next_slot_at=timezone.now() + timedelta(minutes=10))
    queue_single(number(1), "Hi", purpose=Purpose.QUICK)
    queue_single(number(2), "Hi", purpose=Purpose.QUICK, gateway="backup")
    dispatch.send_waiting(None, seconds=60)
    assert [request.numbers for request in provider.requests] == [[number(2)], [number(1)]]
