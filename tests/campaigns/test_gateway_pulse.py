"""How gateways answered of late, added up by the sweeper and read by the dashboard."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from campaigns import gateway_pulse
from campaigns.gateway_pulse import pulses, record_pulse
from campaigns.models import Attempt, GatewayMinute
from sms_backends import OutcomeUnknownError, Reason, RecipientRejectedError
from tests.campaigns.building import launched, make_attempt, make_message, number, send

pytestmark = pytest.mark.django_db


def attempt(n: int, outcome: str = "accepted", *, ago: float = 30, took: float = 2, **fields: object) -> Attempt:
    started = timezone.now() - timedelta(seconds=ago)
    finished = started + timedelta(seconds=took) if outcome else None
    values = {"outcome": outcome, "started_at": started, "finished_at": finished, "gateway": "default"}
    return make_attempt(make_message(number(n)), **{**values, **fields})


def test_what_was_taken_refused_and_unclear_is_added_up_with_the_time_it_took():
    attempt(1, took=1)
    attempt(2, took=3)
    attempt(3, "rejected", error_text="Number is wrong")
    attempt(4, "unknown")
    attempt(5, "")  # still open
    attempt(6, gateway="backup", took=0.5)
    record_pulse()
    found = pulses()
    assert (found["default"].taken, found["default"].refused, found["default"].unclear) == (2, 1, 1)
    assert found["default"].success == 50
    assert found["default"].seconds_to_accept == 2
    assert found["default"].error == "Number is wrong"
    assert found["backup"].seconds_to_accept == 0.5
    assert found["backup"].error_at is None


def test_answers_that_come_late_are_seen_by_the_next_sweep_and_none_twice():
    late = attempt(1, "")
    record_pulse()
    assert pulses()["default"].success is None
    Attempt.objects.filter(pk=late.pk).update(outcome="accepted", finished_at=late.started_at + timedelta(seconds=1))
    for _twice in range(2):
        record_pulse()
    assert pulses()["default"].taken == 1


def test_older_minutes_are_not_looked_at_again_and_count_no_longer_after_a_quarter_of_an_hour():
    attempt(1, ago=20 * 60)
    record_pulse()
    assert pulses() == {}
    now = timezone.now()
    for minutes in (20, 14, 1):
        keep(now - timedelta(minutes=minutes), taken=minutes)
    assert pulses()["default"].taken == 15


def test_the_last_error_is_remembered_for_a_day_and_then_forgotten(monkeypatch):
    now = timezone.now()
    keep(now - timedelta(hours=30), error="Too old", error_at=now - timedelta(hours=30))
    keep(now - timedelta(hours=2), error="Old", error_at=now - timedelta(hours=2))
    keep(now - timedelta(hours=1), error="Out of money", error_at=now - timedelta(hours=1))
    keep(now - timedelta(minutes=1), taken=3)
    record_pulse()
    assert GatewayMinute.objects.count() == 3
    found = pulses()["default"]
    assert (found.taken, found.error) == (3, "Out of money")
    assert found.error_at == now - timedelta(hours=1)


def test_only_attempts_after_the_last_settled_minute_are_read(django_assert_max_num_queries):
    old = attempt(1, ago=500)
    keep(timezone.now() - timedelta(minutes=8), last_attempt=old.pk)
    attempt(2)
    assert gateway_pulse._last_before(timezone.now() - timedelta(minutes=3)) == old.pk
    record_pulse()
    assert pulses()["default"].taken == 1


def test_the_engines_own_attempts_are_added_up(provider, woken):
    provider.refusals[number(1)] = RecipientRejectedError("No", reason=Reason.BARRED)
    send(launched(contacts=3))
    record_pulse()
    assert (pulses()["default"].taken, pulses()["default"].refused) == (2, 1)
    assert "No" in pulses()["default"].error


def test_a_request_without_an_answer_is_unclear(provider, woken):
    provider.fail_next(OutcomeUnknownError("Time-out"))
    send(launched(contacts=2))
    record_pulse()
    assert pulses()["default"].unclear == 2
    assert pulses()["default"].seconds_to_accept is None


def keep(minute: datetime, **fields: object) -> None:
    values = {"gateway": "default", "waited": timedelta(), "last_attempt": 0}
    GatewayMinute.objects.create(minute=minute.replace(second=0, microsecond=0), **{**values, **fields})
