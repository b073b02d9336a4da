"""After the clock was set back nothing waits for the old time to come again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.models import GatewayState, Heartbeat, MessageStatus
from campaigns.sending.clock import SWEEP_MARK, follow_clock
from tests.campaigns.building import make_attempt, make_message

pytestmark = pytest.mark.django_db

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def set_back_by(step: timedelta) -> None:
    """The last sweep was by the old clock."""
    Heartbeat.objects.update_or_create(name=SWEEP_MARK, defaults={"at": timezone.now() + step})


def assert_about(moment, expected) -> None:
    assert abs(moment - expected) < timedelta(seconds=10)


def test_a_hold_a_wait_and_the_times_of_a_doubt_are_moved_back_by_as_much_as_the_clock_was():
    now = timezone.now()
    GatewayState.objects.update_or_create(alias="default", defaults={"held_until": now + HOUR + MINUTE})
    waiting = make_message(not_before=now + HOUR + 2 * MINUTE)
    doubtful = make_message(
        status=MessageStatus.UNKNOWN, status_at=now + HOUR, next_lookup_at=now + HOUR + MINUTE, not_found_at=now + HOUR
    )
    set_back_by(HOUR)
    assert_about(now + follow_clock(), now + HOUR)

    waiting.refresh_from_db()
    doubtful.refresh_from_db()
    assert_about(GatewayState.objects.get(alias="default").held_until, now + MINUTE)
    assert_about(waiting.not_before, now + 2 * MINUTE)
    assert_about(doubtful.status_at, now)
    assert_about(doubtful.not_found_at, now)
    assert_about(doubtful.next_lookup_at, now + MINUTE)
    assert follow_clock() == timedelta(0), "once is enough"


def test_what_is_past_and_what_is_no_waiting_time_stays_as_it_is():
    now = timezone.now()
    doubtful = make_message(status=MessageStatus.UNKNOWN, status_at=now - MINUTE, next_lookup_at=now - MINUTE)
    taken = make_message(status=MessageStatus.SENT, status_at=now + HOUR)
    set_back_by(HOUR)
    follow_clock()
    doubtful.refresh_from_db()
    taken.refresh_from_db()
    assert (doubtful.status_at, doubtful.next_lookup_at) == (now - MINUTE, now - MINUTE)
    assert taken.status_at == now + HOUR


@pytest.mark.parametrize("step", [-2 * HOUR, timedelta(0), timedelta(seconds=50)])
def test_a_clock_that_was_not_set_back_or_by_seconds_only_moves_nothing(step):
    held_until = timezone.now() + MINUTE
    GatewayState.objects.update_or_create(alias="default", defaults={"held_until": held_until})
    set_back_by(step)
    assert follow_clock() == timedelta(0)
    assert GatewayState.objects.get(alias="default").held_until == held_until
    assert_about(Heartbeat.objects.get(name=SWEEP_MARK).at, timezone.now())


def test_the_first_sweep_ever_moves_nothing():
    Heartbeat.objects.all().delete()
    assert follow_clock() == timedelta(0)


@pytest.mark.parametrize("status", [MessageStatus.SENDING, MessageStatus.UNKNOWN])
def test_a_request_whose_outcome_is_not_known_stays_as_old_as_it_was(status):
    """Or one would be offered again, or "not found" be believed, when the provider has forgotten it."""
    now = timezone.now()
    doubtful = make_attempt(make_message(status=status), started_at=now + 10 * MINUTE)
    taken = make_attempt(make_message("+79990000002", status=MessageStatus.SENT), started_at=now - MINUTE)
    set_back_by(HOUR)
    follow_clock()
    doubtful.refresh_from_db()
    taken.refresh_from_db()
    assert_about(doubtful.started_at, now - 50 * MINUTE)
    assert taken.started_at == now - MINUTE
