"""
What is left on the accounts, kept with its time: asked for in the background from time to time, before a campaign is
sent, and when an operator wants to know. A question that fails is kept too, in the provider's words.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Q
from django.utils import timezone

from sms_backends import SmsError, gateways, get_sms_backend

from .models import GatewayState
from .sending.slots import request_slots
from .storable import storable_text
from .wakeups import wake

logger = logging.getLogger(__name__)

#: How often an account is asked by itself.
EVERY = timedelta(minutes=10)
#: After this time it is asked again where somebody is about to spend.
FRESH = timedelta(minutes=5)


def tells_balance(alias: str) -> bool:
    """Whether the provider behind this gateway can be asked."""
    try:
        return get_sms_backend(alias).capabilities.balance
    except ImproperlyConfigured:
        return False  # said on every page already


def ask_balance(alias: str) -> None:
    """Ask now, and keep the answer, or why there is none. Raises `SmsError` and ImproperlyConfigured."""
    try:
        _ask(alias)
    except (SmsError, ImproperlyConfigured) as error:
        _keep(alias, balance_problem=storable_text(error))
        raise


def refresh(alias: str) -> GatewayState | None:
    """What is known of the balance now; if that is old, a worker asks. None where the provider does not tell it."""
    if not tells_balance(alias):
        return None
    state, _made = GatewayState.objects.get_or_create(alias=alias)
    if state.balance_tried_at is None or state.balance_tried_at <= timezone.now() - FRESH:
        wake("ask_balance", state.pk)
    return state


def ask_old_balance(state_id: int) -> None:
    """The worker's part of `refresh()`: however many looked, it asks once."""
    alias = GatewayState.objects.values_list("alias", flat=True).get(pk=state_id)
    if _is_mine_to_ask(alias, FRESH):
        _ask_carefully(alias)


def ask_due_balances() -> None:
    """Ask those accounts that were not asked for a while. Two at once do not ask twice."""
    for alias in gateways:
        if tells_balance(alias) and _is_mine_to_ask(alias, EVERY):
            _ask_carefully(alias)


def _is_mine_to_ask(alias: str, after: timedelta) -> bool:
    now = timezone.now()
    GatewayState.objects.get_or_create(alias=alias)
    due = Q(balance_tried_at=None) | Q(balance_tried_at__lte=now - after)
    return bool(GatewayState.objects.filter(due, alias=alias).update(balance_tried_at=now))


def _ask_carefully(alias: str) -> None:
    try:
        with request_slots(get_sms_backend(alias)) as granted:
            if granted:  # else sending needs them all; asked again later
                _ask(alias)
    except Exception as error:
        # Of whatever kind: it must not keep the other gateways from being asked.
        logger.warning("Gateway %s did not tell its balance: %s", alias, type(error).__name__)
        _keep(alias, balance_problem=storable_text(error))


def _ask(alias: str) -> None:
    balance = get_sms_backend(alias).get_balance()
    _keep(alias, balance=balance.amount, currency=balance.currency, balance_at=timezone.now(), balance_problem="")


def _keep(alias: str, **values: Any) -> None:
    GatewayState.objects.update_or_create(alias=alias, defaults={**values, "balance_tried_at": timezone.now()})
