"""Pausing, holding and resuming gateways: when an account is in trouble, everything that uses it waits."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import NamedTuple

from django.db import transaction
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy

from sms_backends import Scope, SmsError, TemporaryError, ThrottledError, gateways

from . import audit
from .models import GatewayPrice, GatewayState, User
from .storable import storable_text
from .wakeups import wake

#: Waits after requests that did not reach the provider, in seconds; the last one repeats.
HOLD_SECONDS = (2, 5, 15, 30, 60, 120, 300)
#: No provider makes us wait longer than this at a time.
LONGEST_WAIT = timedelta(days=1)
_NOT_HELD = Q(held_until__isnull=True) | Q(held_until__lte=Now())


def ensure_states() -> list[GatewayState]:
    """The states of all configured gateways, made where they are missing."""
    aliases = list(gateways)
    known = set(GatewayState.objects.values_list("alias", flat=True))
    GatewayState.objects.bulk_create(
        [GatewayState(alias=alias) for alias in aliases if alias not in known], ignore_conflicts=True
    )
    return list(GatewayState.objects.filter(alias__in=aliases))


class GatewaysNow(NamedTuple):
    """Aliases that take no messages now, and aliases that have a spend limit for each day."""

    closed: frozenset[str]
    limited: frozenset[str]


def gateways_now() -> GatewaysNow:
    """Both in one query. A gateway whose spend limit cannot be kept for want of prices is closed."""
    limited = Q(daily_spend_limit__isnull=False)
    without_prices = limited & ~Exists(GatewayPrice.objects.filter(gateway=OuterRef("alias")))
    closed = Q(paused_at__isnull=False) | Q(held_until__gt=Now()) | Q(spent_until__gt=Now()) | without_prices
    rows = GatewayState.objects.filter(closed | limited).values_list(
        "alias", "daily_spend_limit", ExpressionWrapper(closed, output_field=BooleanField())
    )
    found = list(rows)
    return GatewaysNow(
        frozenset(alias for alias, _limit, is_closed in found if is_closed),
        frozenset(alias for alias, limit, _closed in found if limit is not None),
    )


def closed_gateways() -> frozenset[str]:
    """Aliases that take no messages now."""
    return gateways_now().closed


def pause_gateway(alias: str, *, reason: str, text: str, actor: User | None = None) -> None:
    """Take no messages for this gateway until somebody resumes it. `text` is shown to operators as it is."""
    with transaction.atomic():
        GatewayState.objects.get_or_create(alias=alias)
        text = storable_text(text)
        paused = GatewayState.objects.filter(alias=alias, paused_at__isnull=True).update(
            paused_at=timezone.now(), pause_reason=reason, provider_text=text
        )
        if paused:
            details = {"reason": str(reason), "text": text}
            audit.record("gateway_paused", actor=actor, subject=alias, details=details)


def resume_gateway(alias: str, *, actor: User | None) -> None:
    """Go on from where it was; the waiting campaigns are woken."""
    with transaction.atomic():
        GatewayState.objects.get_or_create(alias=alias)
        GatewayState.objects.filter(alias=alias).update(
            paused_at=None, pause_reason="", provider_text="", held_until=None, failure_count=0
        )
        audit.record("gateway_resumed", actor=actor, subject=alias)
        wake("sweep")


def set_rate(alias: str, *, per_second: int | None, unit: str, actor: User | None) -> None:
    """Let no more than this through each second, from the next portion on. None: as fast as it goes."""
    with transaction.atomic():
        before, _is_new = GatewayState.objects.get_or_create(alias=alias)
        GatewayState.objects.filter(alias=alias).update(max_per_second=per_second, rate_unit=unit)
        changes = {
            gettext_lazy("at most per second"): (before.max_per_second, per_second),
            gettext_lazy("counted in"): (before.rate_unit, str(unit)),
        }
        audit.record("gateway_rate", actor=actor, subject=alias, changes=changes)


def set_daily_limit(alias: str, limit: Decimal | None, *, actor: User | None) -> None:
    """Spend no more than this through it each day, from the next portion on. None: no limit. Wakes what waited."""
    with transaction.atomic():
        before, _is_new = GatewayState.objects.get_or_create(alias=alias)
        GatewayState.objects.filter(alias=alias).update(daily_spend_limit=limit, spent_until=None)
        amounts = (before.daily_spend_limit, limit)
        pair = tuple(None if amount is None else str(amount) for amount in amounts)
        changes = {gettext_lazy("at most each day"): (pair[0], pair[1])}
        audit.record("gateway_limit", actor=actor, subject=alias, changes=changes)
        wake("sweep")


def hold_gateway(alias: str, error: SmsError) -> None:
    """
    Wait before the next request: as long as the provider asks, else longer with each failure, with jitter.

    Requests that were under way at the same time fail together: they count as one failure.
    """
    state, _ = GatewayState.objects.get_or_create(alias=alias)
    own = HOLD_SECONDS[min(state.failure_count, len(HOLD_SECONDS) - 1)] * random.uniform(0.8, 1.2)  # noqa: S311
    until = timezone.now() + waiting_time(error, otherwise=own)
    gateway = GatewayState.objects.filter(alias=alias)
    if not gateway.filter(_NOT_HELD).update(held_until=until, failure_count=F("failure_count") + 1):
        asked = timezone.now() + waiting_time(error, otherwise=0)
        gateway.filter(held_until__lt=asked).update(held_until=asked)
    # What an operator must see to stays on the page until it is seen to.
    gateway.filter(paused_at__isnull=True).update(pause_reason=str(error.reason), provider_text=storable_text(error))


def is_on_trial(alias: str) -> bool:
    """Whether the last request failed and the hold after it is over: one request must succeed before others follow."""
    return GatewayState.objects.filter(_NOT_HELD, alias=alias, failure_count__gt=0).exists()


def waiting_time(error: SmsError, *, otherwise: float) -> timedelta:
    """How long the provider asks to wait; `otherwise` (seconds) when it does not say, or says what makes no sense."""
    asked = error.retry_after
    if asked is None or not asked > 0:
        return timedelta(seconds=otherwise)
    return timedelta(seconds=min(asked, LONGEST_WAIT.total_seconds()))


def note_success(alias: str) -> None:
    """The provider answered: forget earlier failures. A request that began before a hold does not end it."""
    GatewayState.objects.filter(_NOT_HELD, alias=alias, failure_count__gt=0, paused_at__isnull=True).update(
        failure_count=0, held_until=None, pause_reason="", provider_text=""
    )


def concerns_gateway(error: SmsError) -> bool:
    """Whether the account or the way to the provider is in trouble, rather than this message."""
    return error.scope is Scope.ACCOUNT or isinstance(error, ThrottledError | TemporaryError)


def react_to(alias: str, error: SmsError) -> None:
    """What an error that concerns the gateway means for it: pause until somebody acts, or hold for a while."""
    if error.scope is Scope.ACCOUNT:
        pause_gateway(alias, reason=str(error.reason), text=str(error))
    else:
        hold_gateway(alias, error)
