"""System checks: what is wrong with the gateways and guards is said at start, not by the first campaign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import phonenumbers
from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error
from django.core.exceptions import ImproperlyConfigured

from .base import BaseSmsBackend
from .gateways import EXAMPLE, gateway_settings, gateways
from .message import takes_reference
from .phone_numbers import InvalidPhoneNumber, parse


def check_gateways(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """Each gateway must be complete; its adapter may add what it knows. Opens no connection."""
    try:
        aliases = list(gateway_settings())
    except ImproperlyConfigured as error:
        return [Error(str(error), hint=EXAMPLE, id="sms_backends.E001")]
    messages: list[CheckMessage] = []
    for alias in aliases:
        try:
            backend = gateways[alias]
            messages += [*backend.check(), *_idempotency_problems(backend)]
        except ImproperlyConfigured as error:
            hint = "Correct SMS_SETTINGS or SMS_GATEWAYS (in the environment: SMS_BACKEND, SMS_OPTIONS, SMS_GATEWAYS)."
            messages.append(Error(str(error), hint=hint, id="sms_backends.E002"))
    return messages


def _idempotency_problems(backend: BaseSmsBackend) -> list[CheckMessage]:
    """What keeps an adapter from being what `idempotent_submit` says: then somebody might be texted twice."""
    if not backend.capabilities.idempotent_submit:
        return []
    kind = type(backend)
    problems = {
        "send_sms() takes no reference": not takes_reference(kind.send_sms),
        "account_fingerprint() says nothing": not backend.account_fingerprint(),
        "different texts go out in one request each, all under one reference (it has no send_messages() of its own)": (
            backend.capabilities.bulk_personalized and kind.send_messages is BaseSmsBackend.send_messages
        ),
    }
    return [
        Error(
            f"Gateway '{backend.alias}': {backend.path()} says idempotent_submit, but {problem}.",
            hint="Correct the adapter, or do not declare idempotent_submit.",
            id="sms_backends.E006",
        )
        for problem, is_there in problems.items()
        if is_there
    ]


def check_guards(app_configs: Sequence[AppConfig] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """`SMS_DEFAULT_REGION`, `SMS_ONLY_TO` and `SMS_ALLOWED_COUNTRIES` must hold regions, numbers and countries."""
    region = getattr(settings, "SMS_DEFAULT_REGION", None)
    if region is not None and region not in phonenumbers.SUPPORTED_REGIONS:
        return [_wrong_entry("SMS_DEFAULT_REGION", region, "a country's two capital letters, such as RU", "E003")]
    return [
        *(
            _wrong_entry("SMS_ONLY_TO", entry, "a phone number, such as +79991234567", "E004")
            for entry in getattr(settings, "SMS_ONLY_TO", None) or []
            if not _is_number(entry, region)
        ),
        *(
            _wrong_entry("SMS_ALLOWED_COUNTRIES", entry, "a country's two letters (ISO 3166-1), such as RU", "E005")
            for entry in getattr(settings, "SMS_ALLOWED_COUNTRIES", None) or []
            if str(entry).upper() not in phonenumbers.SUPPORTED_REGIONS
        ),
    ]


def _wrong_entry(setting: str, entry: object, wanted: str, number: str) -> Error:
    return Error(f"{setting}: {entry!r} is not {wanted}.", hint=f"Correct {setting}.", id=f"sms_backends.{number}")


def _is_number(entry: object, region: str | None) -> bool:
    try:
        parse(str(entry), region)
    except InvalidPhoneNumber:
        return False
    return True
