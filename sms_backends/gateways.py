"""
Gateways: alias -> configured backend, read from `SMS_SETTINGS` (short form) and `SMS_GATEWAYS` (several accounts).

    SMS_SETTINGS = {"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": {"SMSC_LOGIN": "..."}}
    SMS_GATEWAYS = {"default": {...}, "backup": {...}}
"""

from __future__ import annotations

import inspect
import os
import pkgutil
import re
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from . import providers
from .base import BaseSmsBackend

DEFAULT_ALIAS = "default"
EXAMPLE = (
    'SMS_SETTINGS = {"BACKEND": "sms_backends.providers.smsc.SmsBackend", '
    '"OPTIONS": {"SMSC_LOGIN": "...", "SMSC_PASSWORD": "..."}}'
)


def backend_path(name: str) -> str:
    """The dotted path of a backend; a bare word such as "smsc" means the provider module of that name."""
    return name if "." in name else f"{providers.__name__}.{name}.SmsBackend"


def gateway_settings() -> dict[str, dict[str, Any]]:
    """
    The configured gateways by alias; `SMS_GATEWAYS` goes before `SMS_SETTINGS`.

    Raises ImproperlyConfigured when nothing is configured or something has the wrong shape.
    """
    configured: dict[str, Any] = {}
    short = getattr(settings, "SMS_SETTINGS", None)
    several = getattr(settings, "SMS_GATEWAYS", None) or {}
    if not isinstance(several, Mapping):
        raise ImproperlyConfigured(
            f'SMS_GATEWAYS must be a dict of gateways, not {several!r}. Example: SMS_GATEWAYS = {{"default": '
            '{"BACKEND": "sms_backends.providers.smsc.SmsBackend", "OPTIONS": {"SMSC_LOGIN": "..."}}}'
        )
    if short is not None:
        configured[DEFAULT_ALIAS] = short
    configured.update(several)
    if not configured:
        raise ImproperlyConfigured(f"SMS_SETTINGS is missing. Example: {EXAMPLE}")
    for alias, config in configured.items():
        _check_shape(alias, config, "SMS_GATEWAYS" if alias in several else "SMS_SETTINGS")
    return configured


def _check_shape(alias: object, config: object, setting: str) -> None:
    """Raise ImproperlyConfigured unless this is one gateway's entry."""
    problem = ""
    if not isinstance(alias, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", alias):
        problem = "an alias is made of Latin letters, digits, '-' and '_' (it is part of the address for receipts)"
    elif not isinstance(config, Mapping):
        problem = f"it must be a dict, not {config!r}"
    elif unknown := set(config) - {"BACKEND", "OPTIONS"}:
        names = ", ".join(sorted(map(repr, unknown)))
        problem = f"unknown key(s) {names}; known are 'BACKEND' and 'OPTIONS'"
    elif not config.get("BACKEND") or not isinstance(config["BACKEND"], str):
        problem = "'BACKEND' must be the dotted path of a backend"
    elif not isinstance(config.get("OPTIONS", {}), Mapping):
        problem = f"'OPTIONS' must be a dict, not {config['OPTIONS']!r}"
    if problem:
        raise ImproperlyConfigured(f"{setting}: gateway {alias!r}: {problem}. Example: {EXAMPLE}")


class Gateways:
    """`gateways["main"]` is the configured backend; made on first use, shared by the threads of a process."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        # Re-entrant: an adapter may be built from other gateways.
        self._lock = threading.RLock()
        self._backends: dict[str, BaseSmsBackend] = {}

    def __getitem__(self, alias: str) -> BaseSmsBackend:
        with self._lock:
            if alias not in self._backends:
                self._backends[alias] = _build(alias)
            return self._backends[alias]

    def __iter__(self) -> Iterator[str]:
        return iter(gateway_settings())

    def __contains__(self, alias: object) -> bool:
        return alias in gateway_settings()

    def reset(self) -> None:
        """Forget and close all backends, so that the next use reads the settings again."""
        with self._lock:
            backends, self._backends = self._backends, {}
        for backend in backends.values():
            backend.close()


def _build(alias: str) -> BaseSmsBackend:
    configured = gateway_settings()
    if alias not in configured:
        known = ", ".join(sorted(configured))
        raise ImproperlyConfigured(
            f"There is no SMS gateway {alias!r}. SMS_SETTINGS and SMS_GATEWAYS configure: {known}. Example: {EXAMPLE}"
        )
    options = dict(configured[alias].get("OPTIONS", {}))
    backend_class = _import_backend(alias, configured[alias]["BACKEND"])
    try:
        backend = backend_class(**_constructor_arguments(backend_class, alias, options))
    except (TypeError, ValueError) as error:
        raise ImproperlyConfigured(
            f"SMS gateway {alias!r}: {backend_class.path()} does not accept its OPTIONS ({error}). Example: {EXAMPLE}"
        ) from error
    # A constructor of the original interface knows neither.
    backend.alias = alias
    backend.__dict__.setdefault("options", options)
    return backend


def _import_backend(alias: str, name: str) -> type[BaseSmsBackend]:
    path = backend_path(name)
    try:
        backend_class = import_string(path)
    except ImportError as error:
        shipped = ", ".join(sorted(module.name for module in pkgutil.iter_modules(providers.__path__)))
        raise ImproperlyConfigured(
            f"SMS gateway {alias!r}: BACKEND {name!r} cannot be imported ({error}). "
            f"Shipped backends: {shipped}. Example: {EXAMPLE}"
        ) from error
    if not inspect.isclass(backend_class) or not issubclass(backend_class, BaseSmsBackend):
        raise ImproperlyConfigured(
            f"SMS gateway {alias!r}: BACKEND {path!r} is not a subclass of BaseSmsBackend. Example: {EXAMPLE}"
        )
    return backend_class


def _constructor_arguments(backend_class: type[BaseSmsBackend], alias: str, options: dict[str, Any]) -> dict[str, Any]:
    """The options, and the alias where it is expected: a constructor of the original interface takes options alone."""
    parameters = inspect.signature(backend_class).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    if "alias" in parameters or (takes_any and backend_class.known_options is not None):
        return {"alias": alias, **options}
    return options


gateways = Gateways()
# A child must neither use nor close its parent's connections, nor wait for a lock that a thread of the parent held.
os.register_at_fork(after_in_child=gateways._forget)


def get_sms_backend(alias: str = DEFAULT_ALIAS) -> BaseSmsBackend:
    """The configured backend of a gateway. Raises ImproperlyConfigured with an example when it is not set up right."""
    return gateways[alias]


def _reset_on_change(*, setting: str, **kwargs: Any) -> None:
    if setting in {"SMS_SETTINGS", "SMS_GATEWAYS"}:
        gateways.reset()


setting_changed.connect(_reset_on_change, dispatch_uid="sms_backends.gateways.reset")
