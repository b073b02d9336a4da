"""What is wrong with gateways and guards is said by `manage.py check`."""

from __future__ import annotations

from typing import Any

import pytest
from django.core import checks

from sms_backends.checks import check_gateways, check_guards


def ids(messages: list[checks.CheckMessage]) -> list[str | None]:
    return [message.id for message in messages]


def test_they_are_registered() -> None:
    registered = checks.registry.registry.registered_checks
    assert {check_gateways, check_guards} <= registered


def test_good_settings_are_passed_in_silence(settings: Any) -> None:
    settings.SMS_GATEWAYS = {"backup": {"BACKEND": "simulator", "OPTIONS": {"LATENCY": 0}}}
    settings.SMS_ONLY_TO = ["+79991234567", "8 999 123 45 68"]
    settings.SMS_ALLOWED_COUNTRIES = ["RU", "kz"]
    assert check_gateways() == []
    assert check_guards() == []


def test_settings_of_the_wrong_shape_are_one_error_with_an_example(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEN": "dummy"}
    (error,) = check_gateways()
    assert error.id == "sms_backends.E001"
    assert "SMS_SETTINGS" in error.msg
    assert "BACKEND" in str(error.hint)


def test_each_gateway_that_cannot_be_made_is_an_error_of_its_own(settings: Any) -> None:
    settings.SMS_SETTINGS = {"BACKEND": "no.such.Backend"}
    settings.SMS_GATEWAYS = {
        "good": {"BACKEND": "dummy"},
        "bad": {"BACKEND": "dummy", "OPTIONS": {"COLOUR": "red"}},
        "open": {"BACKEND": "tests.sms_backends.adapters.WebhookBackend"},
    }
    messages = check_gateways()
    assert ids(messages) == ["sms_backends.E002", "sms_backends.E002", "sms_backends.W001"]
    assert "no.such.Backend" in messages[0].msg
    assert "COLOUR" in messages[1].msg
    assert all(message.hint for message in messages)


def test_guards_name_each_wrong_entry(settings: Any) -> None:
    settings.SMS_ONLY_TO = ["+79991234567", "Anna", "123"]
    settings.SMS_ALLOWED_COUNTRIES = ["RU", "Russia", ""]
    messages = check_guards()
    assert ids(messages) == ["sms_backends.E004"] * 2 + ["sms_backends.E005"] * 2
    assert "'Anna'" in messages[0].msg
    assert "'Russia'" in messages[2].msg


@pytest.mark.parametrize("region", ["Russia", "XX", "ru"])
def test_a_region_that_is_none_is_an_error(settings: Any, region: str) -> None:
    settings.SMS_DEFAULT_REGION = region
    assert ids(check_guards()) == ["sms_backends.E003"]


def test_guards_may_be_left_out(settings: Any) -> None:
    del settings.SMS_ONLY_TO, settings.SMS_ALLOWED_COUNTRIES, settings.SMS_DEFAULT_REGION
    assert check_guards() == []


# --- adapters that promise to take a repeated request once -------------------------------------------------------


def idempotency_problems(settings: Any, backend: str) -> list[str]:
    settings.SMS_SETTINGS = {"BACKEND": f"tests.sms_backends.adapters.{backend}"}
    messages = check_gateways()
    assert set(ids(messages)) <= {"sms_backends.E006"}
    return [message.msg for message in messages]


def test_an_adapter_that_can_keep_its_promise_is_passed_in_silence(settings: Any) -> None:
    assert idempotency_problems(settings, "OnceBackend") == []


@pytest.mark.parametrize(
    ("backend", "problem"),
    [
        ("OnceWithoutReferenceBackend", "send_sms() takes no reference"),
        ("OnceWithoutAccountBackend", "account_fingerprint() says nothing"),
        ("OnceLoopedBackend", "different texts go out in one request each"),
    ],
)
def test_one_that_cannot_is_an_error(settings: Any, backend: str, problem: str) -> None:
    (said,) = idempotency_problems(settings, backend)
    assert problem in said
    assert backend in said
