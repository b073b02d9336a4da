"""That a worker holds a message for longer than its request may take is checked at start."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks

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
