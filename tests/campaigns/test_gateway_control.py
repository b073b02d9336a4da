"""When an account is in trouble, everything that uses it waits; nothing is lost."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from campaigns.gateway_control import (
    HOLD_SECONDS,
    LONGEST_WAIT,
    closed_gateways,
    concerns_gateway,
    ensure_states,
    hold_gateway,
    is_on_trial,
    note_success,
    pause_gateway,
    react_to,
    resume_gateway,
    waiting_time,
)
from campaigns.models import AuditEvent, GatewayState
from sms_backends import (
    AccountBlockedError,
    ContentRejectedError,
    OutcomeUnknownError,
    RecipientRejectedError,
    TemporaryError,
    ThrottledError,
)
from tests.campaigns.building import make_user

pytestmark = pytest.mark.django_db


def state() -> GatewayState:
    return GatewayState.objects.get(alias="default")


def held_for() -> float:
    held_until = state().held_until
    assert held_until is not None
    return (held_until - timezone.now()).total_seconds()


def test_each_configured_gateway_has_a_state(settings):
    settings.SMS_GATEWAYS = {"default": {"BACKEND": "locmem"}, "backup": {"BACKEND": "dummy"}}
    assert {found.alias for found in ensure_states()} == {"default", "backup"}
    assert len(ensure_states()) == GatewayState.objects.count() == 2


def test_a_pause_stays_until_somebody_resumes(woken, django_capture_on_commit_callbacks):
    react_to("default", AccountBlockedError("Blocked by the provider"))
    assert closed_gateways() == {"default"}
    note_success("default")
    assert closed_gateways() == {"default"}
    with django_capture_on_commit_callbacks(execute=True):
        resume_gateway("default", actor=make_user())
    assert closed_gateways() == set()
    assert (state().pause_reason, state().provider_text) == ("", "")
    assert woken == [("sweep",)]
    assert list(AuditEvent.objects.order_by("pk").values_list("action", "subject")) == [
        ("gateway_paused", "default"),
        ("gateway_resumed", "default"),
    ]


def test_the_first_reason_of_a_pause_is_kept_and_written_down_once():
    pause_gateway("default", reason="no_funds", text="No money")
    pause_gateway("default", reason="authentication", text="Wrong password")
    assert (state().pause_reason, state().provider_text) == ("no_funds", "No money")
    assert AuditEvent.objects.count() == 1


def test_odd_words_of_a_provider_do_not_keep_a_gateway_open():
    pause_gateway("default", reason="no_funds", text="nul \0")
    hold_gateway("backup", TemporaryError("nul \0"))
    assert closed_gateways() == {"default", "backup"}


def the_hold_ends() -> None:
    GatewayState.objects.update(held_until=timezone.now() - timedelta(seconds=1))


def test_holds_grow_and_end_by_themselves():
    for expected in [*HOLD_SECONDS, HOLD_SECONDS[-1]]:
        hold_gateway("default", TemporaryError("down"))
        assert expected * 0.75 <= held_for() <= expected * 1.25
        the_hold_ends()
    assert closed_gateways() == set()
    note_success("default")
    assert (state().failure_count, state().held_until, state().provider_text) == (0, None, "")


def test_requests_that_fail_together_count_as_one_failure():
    for _request in range(10):
        hold_gateway("default", TemporaryError("down"))
    assert state().failure_count == 1
    assert held_for() <= HOLD_SECONDS[0] * 1.25
    hold_gateway("default", ThrottledError("Too fast", retry_after=100))
    assert 95 < held_for() <= 100, "what a provider asks for counts all the same"


def test_after_a_hold_the_gateway_is_on_trial_until_a_request_succeeds():
    assert not is_on_trial("default")
    hold_gateway("default", TemporaryError("down"))
    assert not is_on_trial("default"), "it is closed altogether"
    the_hold_ends()
    assert is_on_trial("default")
    note_success("default")
    assert not is_on_trial("default")


def test_a_provider_that_says_how_long_is_believed():
    hold_gateway("default", ThrottledError("Too fast", retry_after=17))
    assert 15 < held_for() <= 17


def test_a_success_of_a_request_begun_before_does_not_end_a_hold():
    hold_gateway("default", ThrottledError("Too fast", retry_after=30))
    note_success("default")
    assert closed_gateways() == {"default"}


@pytest.mark.parametrize(
    ("asked", "waits"),
    [(None, 7), (0, 7), (-1, 7), (float("nan"), 7), (3.5, 3.5), (1e30, 86400), (float("inf"), 86400)],
)
def test_only_sensible_waiting_times_are_believed(asked, waits):
    assert waiting_time(ThrottledError(retry_after=asked), otherwise=7) == timedelta(seconds=waits)
    assert timedelta(seconds=waits) <= LONGEST_WAIT


@pytest.mark.parametrize(
    ("error", "concerned"),
    [
        (AccountBlockedError(), True),
        (ThrottledError(), True),
        (TemporaryError(), True),
        (RecipientRejectedError(), False),
        (RecipientRejectedError(permanent=False), False),
        (ContentRejectedError(), False),
        (OutcomeUnknownError(), False),
    ],
)
def test_only_trouble_with_the_account_or_the_way_to_it_concerns_the_gateway(error, concerned):
    assert concerns_gateway(error) is concerned
