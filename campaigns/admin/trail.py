"""Who did what to a campaign, as a timeline in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from campaigns.audit import field_words
from campaigns.models import AuditEvent, Campaign, MessageStatus
from campaigns.prices import money, price_table
from campaigns.spoken_times import spoken

from .display import count
from .system import action_words

SHOWN = 50
_TONES = {
    "launch": "good",
    "resume": "good",
    "completed": "good",
    "pause": "unsure",
    "cancel": "bad",
    "resend": "unsure",
    "resend_unknown": "unsure",
}


@dataclass(frozen=True)
class Line:
    """An act: who (empty: the engine), what, and what there is to say about it."""

    at: datetime
    who: str
    what: str
    details: str = ""
    tone: str = "quiet"


def trail(campaign: Campaign, shown: int = SHOWN) -> list[Line]:
    """The newest first. One query."""
    events = campaign.audit_events.select_related("actor").order_by("-pk")[:shown]
    return [line_of(event, campaign) for event in events]


def line_of(event: AuditEvent, campaign: Campaign) -> Line:
    """An entry of the audit trail as people read it."""
    details = event.details if isinstance(event.details, dict) else {}
    tell = _DETAILS.get(event.action, _reason)
    tone = _TONES.get(event.action, "quiet")
    return Line(event.at, str(event.actor or ""), action_words(event.action), tell(details, campaign), tone)


def _reason(details: dict[str, Any], _campaign: Campaign) -> str:
    return str(details.get("reason") or "")


def _fields(details: dict[str, Any], campaign: Campaign) -> str:
    """Which fields, by the names that the form gives them."""
    changed = details.get("changes") or details.get("fields") or []
    names = {field.name: str(getattr(field, "verbose_name", field.name)) for field in campaign._meta.get_fields()}
    return ", ".join(names.get(str(name)) or field_words(str(name)) for name in changed)


def _schedule(details: dict[str, Any], _campaign: Campaign) -> str:
    at = parse_datetime(str(details.get("at") or ""))
    return _t("to start at %(at)s") % {"at": spoken(at)} if at else ""


def _limit(details: dict[str, Any], campaign: Campaign) -> str:
    pair = next(iter((details.get("changes") or {}).values()), (None, None))
    before, after = (_amount(value, campaign) for value in pair)
    return _t("from %(before)s to %(after)s") % {"before": before, "after": after}


def _amount(value: Any, campaign: Campaign) -> str:
    if not value:
        return _t("no limit")
    try:
        return money(Decimal(str(value)), price_table(campaign.gateway).currency)
    except InvalidOperation:
        return str(value)


def _messages(details: dict[str, Any], _campaign: Campaign) -> str:
    number = int(details.get("messages") or 0)
    return ngettext("%(count)s message", "%(count)s messages", number) % {"count": count(number)} if number else ""


def _resend(details: dict[str, Any], _campaign: Campaign) -> str:
    labels = dict(MessageStatus.choices)
    return ", ".join(str(labels.get(status, status)) for status in details.get("to") or [])


_DETAILS: dict[str, Callable[[dict[str, Any], Campaign], str]] = {
    "change": _fields,
    "schedule": _schedule,
    "spend_limit": _limit,
    "resend_unknown": _messages,
    "leave_unknown": _messages,
    "resend": _resend,
}
