"""
Gateways: alias -> configured backend, read from `SMS_SETTINGS` (short form) and `SMS_GATEWAYS` (several accounts).

    SMS_SETTINGS = {"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": {"SMSC_LOGIN": "..."}}
    SMS_GATEWAYS = {"default": {...}, "backup": {...}}
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from .base import BaseSmsBackend

DEFAULT_ALIAS = "default"
EXAMPLE = 'SMS_SETTINGS = {"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": {"SMSC_LOGIN": "...", ...}}'


def backend_path(name: str) -> str:
    """The dotted path of a backend; a bare word such as "smsc" means the provider module of that name."""
    return name if "." in name else f"sms_backends.providers.{name}.SmsBackend"


def gateway_settings() -> dict[str, dict[str, Any]]:
    """The configured gateways by alias. Raises ImproperlyConfigured when their shape is wrong."""
    configured: dict[str, Any] = {}
    short = getattr(settings, "SMS_SETTINGS", None)
    several = getattr(settings, "SMS_GATEWAYS", None) or {}
    if not isinstance(several, dict):
        raise ImproperlyConfigured(f'SMS_GATEWAYS must be {{alias: {{"BACKEND": ..., "OPTIONS": ...}}}}, not {several!r}.')
    if short is not None:
        configured[DEFAULT_ALIAS] = short
    configured.update(several)
    if not configured:
        raise ImproperlyConfigured(f"SMS_SETTINGS is missing. Example: {EXAMPLE}")
    for alias, config in configured.items():
        _check_shape(alias, config, "SMS_GATEWAYS" if alias in several else "SMS_SETTINGS")
    return configured


def _check_shape(alias: str, config: Any, setting: str) -> None:
    if not isinstance(config, dict):
        raise ImproperlyConfigured(f"{setting}: gateway '{alias}' must be a dict, not {config!r}. Example: {EXAMPLE}")
    unknown = set(config) - {"BACKEND", "OPTIONS"}
    if unknown:
        raise ImproperlyConfigured(
            f"{setting}: gateway '{alias}' has unknown key(s) {', '.join(sorted(map(repr, unknown)))}; "
            f"known are 'BACKEND' and 'OPTIONS'. Example: {EXAMPLE}"
        )
    if not config.get("BACKEND") or not isinstance(config["BACKEND"], str):
        raise ImproperlyConfigured(f"{setting}: gateway '{alias}' names no 'BACKEND'. Example: {EXAMPLE}")
    if not isinstance(config.get("OPTIONS", {}), dict):
        raise ImproperlyConfigured(f"{setting}: 'OPTIONS' of gateway '{alias}' must be a dict. Example: {EXAMPLE}")


class Gateways:
    """`gateways["main"]` is the configured backend; made on first use, shared by the threads of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._backends: dict[str, BaseSmsBackend] = {}
        self._pid = os.getpid()

    def __getitem__(self, alias: str) -> BaseSmsBackend:
        with self._lock:
            if self._pid != os.getpid():
                # Connections must not be shared with the process we were forked from.
                self._backends, self._pid = {}, os.getpid()
            if alias not in self._backends:
                self._backends[alias] = self._build(alias)
            return self._backends[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(gateway_settings())

    def __contains__(self, alias: object) -> bool:
        return alias in gateway_settings()

    def _build(self, alias: str) -> BaseSmsBackend:
        configured = gateway_settings()
        if alias not in configured:
            known = ", ".join(sorted(configured))
            raise ImproperlyConfigured(f"There is no SMS gateway '{alias}'. Configured gateways: {known}. Example: {EXAMPLE}")
        path = backend_path(configured[alias]["BACKEND"])
        try:
            backend_class = import_string(path)
        except ImportError as error:
            raise ImproperlyConfigured(
                f"SMS gateway '{alias}': the backend {path!r} cannot be imported ({error}). Example: {EXAMPLE}"
            ) from error
        options = configured[alias].get("OPTIONS", {})
        try:
            backend = backend_class(alias=alias, **options)
        except TypeError as error:
            raise ImproperlyConfigured(f"SMS gateway '{alias}': {path} does not accept its OPTIONS ({error}).") from error
        if not isinstance(backend, BaseSmsBackend):
            raise ImproperlyConfigured(f"SMS gateway '{alias}': {path} is not a subclass of BaseSmsBackend.")
        return backend

    def reset(self) -> None:
        """Forget and close all backends, so that the next use reads the settings again."""
        with self._lock:
            for backend in self._backends.values():
                backend.close()
            self._backends = {}


gateways = Gateways()


def get_sms_backend(alias: str = DEFAULT_ALIAS) -> BaseSmsBackend:
    """The configured backend of a gateway. Raises ImproperlyConfigured with an example when it is not set up right."""
    return gateways[alias]


def _reset_on_change(*, setting: str, **kwargs: Any) -> None:
    if setting in {"SMS_SETTINGS", "SMS_GATEWAYS"}:
        gateways.reset()


setting_changed.connect(_reset_on_change, dispatch_uid="sms_backends.gateways.reset")
