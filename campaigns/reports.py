"""Read-only figures. The campaign page, the list, the commands and the start page all ask here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.core.exceptions import ImproperlyConfigured
from django.db.models import Count, Q, Sum
from django.utils import timezone

from sms_backends import BaseSmsBackend, gateways, get_sms_backend

from .models import (
    PENDING,
    RESERVED,
    Campaign,
    FailureReason,
    Figure,
    GatewayState,
    Heartbeat,
    InboundMessage,
    Meaning,
    MessageStatus,
    SuppressionReason,
)

#: A worker that has given no sign of life for so long counts as dead.
BEAT_LIMIT = timedelta(seconds=150)
WORKER_BEAT = "worker"


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many messages of a campaign ended in a state for one reason."""

    status: str
    reason: str
    label: str
    count: int


@dataclass(slots=True)
class Figures:
    """
    A campaign in numbers: `audience` = the sum of `messages` (all states, zeros included).

    `price` is what has been spent or is reserved as far as prices are known, `unpriced_segments` what it leaves out.
    """

    audience: int = 0
    messages: dict[str, int] = field(default_factory=lambda: dict.fromkeys(map(str, MessageStatus.values), 0))
    reasons: list[ReasonCount] = field(default_factory=list)
    price: Decimal = Decimal(0)
    unpriced_segments: int = 0

    @property
    def suppressed(self) -> dict[str, int]:
        return {r.reason: r.count for r in self.reasons if r.status == MessageStatus.SUPPRESSED}

    @property
    def problems(self) -> list[ReasonCount]:
        """Everything with a reason but what we left out on purpose."""
        return [r for r in self.reasons if r.status != MessageStatus.SUPPRESSED and r.reason]

    @property
    def pending(self) -> int:
        return sum(self.messages[status] for status in PENDING)

    @property
    def done(self) -> int:
        return sum(self.messages.values()) - self.pending

    @property
    def adds_up(self) -> bool:
        return sum(self.messages.values()) == self.audience


#: Translated when they are shown.
_REASON_LABELS = {**dict(FailureReason.choices), **dict(SuppressionReason.choices)}


def reason_label(reason: str) -> str:
    """A reason in the operator's language."""
    return str(_REASON_LABELS.get(reason, reason))


def campaign_figures(campaign: Campaign) -> Figures:
    """The figures of one campaign."""
    return many_campaign_figures([campaign.pk])[campaign.pk]


def many_campaign_figures(ids: Iterable[int]) -> dict[int, Figures]:
    """
    The figures of several campaigns by id.

    One query for everything: read one after the other, audience and rows would not add up while a campaign is prepared.
    """
    wanted = list(ids)
    found = {pk: Figures() for pk in wanted}
    counted = (
        Figure.objects.filter(campaign__in=wanted)
        .order_by("campaign", "status", "reason")
        .values_list("campaign", "campaign__audience", "status", "reason")
        .annotate(n=Sum("messages"), price=Sum("price"), unpriced=Sum("unpriced_segments"))
    )
    for pk, people, status, reason, n, price, unpriced in counted:
        found[pk].audience = people
        if not n:
            continue
        found[pk].messages[status] += n
        if status in RESERVED:
            found[pk].price += price
            found[pk].unpriced_segments += unpriced
        if reason:
            found[pk].reasons.append(ReasonCount(status, reason, reason_label(reason), n))
    return found


def answers_to(campaign: Campaign) -> tuple[int, int]:
    """How many messages answer this campaign, and how many of them are opt-outs. One query, of one index alone."""
    found = InboundMessage.objects.filter(campaign=campaign).order_by()
    counted = found.aggregate(replies=Count("pk"), opt_outs=Count("pk", filter=Q(meaning=Meaning.STOP)))
    return counted["replies"], counted["opt_outs"]


def last_beat(name: str = WORKER_BEAT) -> datetime | None:
    """When a worker last gave a sign of life; None when none ever did."""
    return Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()


def workers_alive() -> bool:
    """Whether somebody works off the queue."""
    beat = last_beat()
    return beat is not None and beat > timezone.now() - BEAT_LIMIT


@dataclass(frozen=True, slots=True)
class GatewayCard:
    """A configured gateway as operators see it. `problem` says why it cannot be used, in words; empty when it can."""

    alias: str
    path: str
    provider: str
    pretends: bool
    state: GatewayState | None
    problem: str

    @property
    def is_spent(self) -> bool:
        """Whether the spend limit for the day is reached."""
        until = self.state.spent_until if self.state else None
        return until is not None and until > timezone.now()


def gateway_cards() -> list[GatewayCard]:
    """All configured gateways."""
    states = {state.alias: state for state in GatewayState.objects.all()}
    return [_card(alias, states.get(alias)) for alias in gateways]


def _card(alias: str, state: GatewayState | None) -> GatewayCard:
    try:
        backend: BaseSmsBackend = get_sms_backend(alias)
    except ImproperlyConfigured as error:
        return GatewayCard(alias, "", "", False, state, str(error))
    provider = backend.provider_name or type(backend).__module__.rpartition(".")[2]
    return GatewayCard(alias, backend.path(), provider, backend.capabilities.pretends, state, "")


def simulator_active() -> bool:
    """True when no configured gateway sends anything for real."""
    try:
        return all(get_sms_backend(alias).capabilities.pretends for alias in gateways)
    except ImproperlyConfigured:
        return False
