"""That a worker holds a message for longer than its request may take is checked at start."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.checks import run_checks

from campaigns.sending import leases
from campaigns.sending.leases import check_leases


def smsc(timeout: float) -> dict[str, object]:
    options = {"SMSC_LOGIN": "login", "SMSC_PASSWORD": "right", "SMSC_TIMEOUT": timeout}
    return {"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": options}


def test_each_gateway_whose_requests_may_take_too_long_is_named_at_start(settings):
    settings.SMS_GATEWAYS = {"default": smsc(15), "edge": smsc(60), "slow": smsc(60.5)}
    found = [message for message in run_checks() if message.id == "campaigns.E002"]
    assert [message.msg.split(":")[0] for message in found] == ["Gateway 'slow'"]
    assert "SMSC_TIMEOUT" in str(found[0].hint)


@pytest.mark.parametrize("gateways", [{"default": {"BACKEND": "no.such.Backend"}}, {"default": smsc(0)}, "nonsense"])
def test_what_is_not_set_up_right_is_left_to_the_check_of_the_gateways(settings, gateways):
    settings.SMS_GATEWAYS = gateways
    assert check_leases() == []


def test_no_lease_gives_a_request_more_time_than_the_queue_gives_its_task(settings):
    settings.SMS_GATEWAYS = {"default": smsc(30), "slow": smsc(31)}
    settings.Q_CLUSTER = {**settings.Q_CLUSTER, "timeout": 60}
    assert [message.msg.split(":")[0] for message in check_leases()] == ["Gateway 'slow'"]


def test_a_short_lease_that_leaves_little_time_for_writing_down_an_answer_is_warned_of(settings, monkeypatch):
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=30))
    monkeypatch.setattr(leases, "RECORDING", timedelta(seconds=10))
    settings.SMS_GATEWAYS = {"default": smsc(1), "short": smsc(15), "slow": smsc(21)}
    found = {message.msg.split(":")[0]: message.id for message in check_leases()}
    assert found == {
        "Gateway 'default'": "campaigns.W001",
        "Gateway 'short'": "campaigns.W001",
        "Gateway 'slow'": "campaigns.E002",
    }
    monkeypatch.setattr(leases, "LEASE", timedelta(seconds=45))
    settings.SMS_GATEWAYS = {"default": smsc(15)}
    assert check_leases() == []
