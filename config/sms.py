"""What the environment says about the gateway `default`."""

from __future__ import annotations

from typing import Any

from config.environment import Environment

SMSC_TEXTS = (
    "SMSC_BASE_URL",
    "SMSC_LOGIN",
    "SMSC_PASSWORD",
    "SMSC_APIKEY",
    "SMSC_SENDER",
    "SMSC_CALLBACK_SECRET",
    "SMSC_CHARSET",
)
SMSC_NUMBERS = ("SMSC_TIMEOUT", "SMSC_MAX_RECIPIENTS", "SMSC_MAX_CONNECTIONS")
SMSC_BOOLEANS = ("SMSC_DEBUG", "SMSC_POST", "SMSC_HTTPS")


def gateway_options(env: Environment, backend: str) -> dict[str, Any]:
    """
    OPTIONS of the gateway `default`: the provider's own variables, if there are any, then SMS_OPTIONS, which wins.

    Only variables that are set are passed on, so that the adapter's own defaults and its complaints about what is
    missing stay in one place.
    """
    options = _smsc_options(env) if backend.removesuffix(".SmsBackend").split(".")[-1] == "smsc" else {}
    return options | env.json_object("SMS_OPTIONS")


def _smsc_options(env: Environment) -> dict[str, Any]:
    options: dict[str, Any] = {name: env.text(name) for name in SMSC_TEXTS if env.text(name)}
    options |= {name: env.number(name, 0) for name in SMSC_NUMBERS if env.text(name)}
    options |= {name: env.boolean(name) for name in SMSC_BOOLEANS if env.text(name)}
    if options.get("SMSC_SENDER", "").lower() == "false":
        options["SMSC_SENDER"] = False  # the account's default sender, as the original has it
    return options
