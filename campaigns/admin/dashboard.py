"""The figures of the start page as they are shown: every number a link to its rows, charts, and the gateways' cards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, ngettext
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import log, past_days
from campaigns.country_names import country_name
from campaigns.dashboard import (
    NOT_DELIVERED,
    NOT_TAKEN,
    PERIODS,
    USUAL_PERIOD,
    Cost,
    PeriodFigures,
    Slot,
    Tally,
    period_figures,
)
from campaigns.figure_triggers import DELAYS
from campaigns.gateway_pulse import Pulse, pulses
from campaigns.models import MessageStatus, OptOut
from campaigns.prices import money
from campaigns.reports import GatewayCard, reason_label
from campaigns.sending.spending import end_of

from .display import NOTHING, count, log_url

PERIOD_NAMES = {"today": _("Today"), "7": _("7 days"), "30": _("30 days")}
#: Countries beyond these are few messages; the log has them all.
COUNTRIES_SHOWN = 15
REASONS_SHOWN = 12
S = MessageStatus
#: The log's name for all that will not arrive.
NOT_REACHED = "not_reached"


class Part(NamedTuple):
    """A part of a bar: whose sum it is, and what the log calls them."""

    name: Any
    tone: str
    statuses: frozenset[str]
    status: str


#: From below.
PARTS = (
    Part(_("delivered"), "good", frozenset({S.DELIVERED}), S.DELIVERED),
    Part(_("no word yet"), "sent", frozenset({S.SENT}), S.SENT),
    Part(_("unknown"), "unsure", frozenset({S.UNKNOWN}), S.UNKNOWN),
    Part(_("failed"), "bad", NOT_DELIVERED | NOT_TAKEN, NOT_REACHED),
)


@dataclass(frozen=True)
class Number:
    """A figure, and the rows of the log that it counts."""

    shown: str
    url: str = ""
    note: str = ""

    @property
    def html(self) -> SafeString:
        """As it stands on the page."""
        return format_html('<a href="{}">{}</a>', self.url, self.shown) if self.url else escape(self.shown)


@dataclass(frozen=True)
class Row:
    """A gateway or a country: what was sent through it or there, and how it arrived."""

    name: str
    sent: Number
    delivered: Number
    rate: str
    failed: Number
    half_within: str
    most_within: str


@dataclass(frozen=True)
class Bar:
    """One day or hour of the chart; `url` leads to all of a day's rows."""

    label: str
    cells: list[Number]
    url: str


@dataclass(frozen=True)
class Chart:
    """Bars side by side, as a table and as what the browser draws (dashboard_chart.js)."""

    bars: list[Bar]
    heads: list[Any]
    legend: list[tuple[str, Any]]
    unit: Any
    drawn: str


@dataclass(frozen=True)
class Reason:
    """Why messages did not arrive."""

    label: str
    number: Number


@dataclass(frozen=True)
class Provider:
    """A gateway's card."""

    card: GatewayCard
    pulse: Pulse
    success: str
    answered: str
    to_accept: str


@dataclass
class Dashboard:
    """What is shown of a period. `figures` is None for those who may not see the log."""

    period: str
    periods: list[tuple[str, Any]] = field(default_factory=lambda: list(PERIOD_NAMES.items()))
    figures: PeriodFigures | None = None
    #: What the figures do not cover yet, after an upgrade.
    unfinished: past_days.Unfinished | None = None
    zone: str = ""
    sent: Number = Number("")
    delivered: Number = Number("")
    failed: Number = Number("")
    waiting: Number = Number("")
    unknown: Number = Number("")
    opt_outs: Number | None = None
    costs: list[Number] = field(default_factory=list)
    gateways: list[Row] = field(default_factory=list)
    countries: list[Row] = field(default_factory=list)
    more_countries: str = ""
    reasons: list[Reason] = field(default_factory=list)
    chart: Chart | None = None
    providers: list[Provider] = field(default_factory=list)


def dashboard(request: HttpRequest, cards: Iterable[GatewayCard]) -> Dashboard:
    """What this user may see of the period that the address names."""
    asked = request.GET.get("period", "")
    board = Dashboard(asked if asked in PERIODS else USUAL_PERIOD)
    if request.user.has_perm("campaigns.view_sentmessage"):
        currencies = {card.alias: card.state.price_currency for card in cards if card.state}
        _fill(board, period_figures(board.period, currencies))
    if request.user.has_perm("campaigns.view_optout"):
        board.opt_outs = _opt_outs(board.period)
    if request.user.has_perm("campaigns.view_gatewaystate"):
        known = pulses()
        board.providers = [_provider(card, known.get(card.alias, Pulse())) for card in cards]
    return board


def _fill(board: Dashboard, figures: PeriodFigures) -> None:
    links = _Links(figures)
    board.figures, board.zone = figures, timezone.get_default_timezone_name()
    board.unfinished = past_days.unfinished()
    total = figures.total
    board.sent = links.number(total.sent, log.TAKEN_SUM)
    board.delivered = links.number(total.delivered, S.DELIVERED, note=_percent_of_sent(total))
    board.failed = links.number(total.failed, NOT_REACHED)
    board.waiting = links.number(total.waiting, S.SENT)
    board.unknown = links.number(total.unknown, S.UNKNOWN)
    board.costs = [_cost(cost) for cost in figures.costs]
    board.gateways = [
        _row(alias, tally, links, gateway__exact=alias) for alias, tally in sorted(figures.by_gateway.items())
    ]
    countries = sorted(figures.by_region.items(), key=lambda found: (-found[1].sent, -found[1].failed, found[0]))
    board.countries = [
        _row(_country(region), tally, links, region__exact=region) for region, tally in countries[:COUNTRIES_SHOWN]
    ]
    if left := countries[COUNTRIES_SHOWN:]:
        words = ngettext("and %(count)s more country", "and %(count)s more countries", len(left))
        board.more_countries = words % {"count": count(len(left))}
    board.reasons = [
        Reason(
            f"{S(found.status).label}: {reason_label(found.reason)}" if found.reason else str(S(found.status).label),
            links.number(found.messages, found.status, reason__exact=found.reason or log.NO_REASON),
        )
        for found in figures.failures[:REASONS_SHOWN]
    ]
    board.chart = _chart(figures.slots, is_one_day=figures.is_one_day)


class _Links:
    """Addresses of the log's rows of a period."""

    def __init__(self, figures: PeriodFigures) -> None:
        self._days = {"day__gte": figures.first.isoformat(), "day__lte": figures.last.isoformat()}

    def number(self, value: int, status: str, *, note: str = "", **filters: Any) -> Number:
        """A figure with its link; nothing to link to where it is nought."""
        if not value:
            return Number("0", note=note)
        return Number(count(value), log_url(**self._days, status__exact=status, **filters), note)


def _row(name: str, tally: Tally, links: _Links, **filters: Any) -> Row:
    return Row(
        name=name,
        sent=links.number(tally.sent, log.TAKEN_SUM, **filters),
        delivered=links.number(tally.delivered, S.DELIVERED, **filters),
        rate=_percent(tally.rate),
        failed=links.number(tally.failed, NOT_REACHED, **filters),
        half_within=duration(tally.half_within),
        most_within=duration(tally.most_within),
    )


def _country(region: str) -> str:
    return country_name(region, get_language() or "en") if region else _t("Country not known")


def _percent(value: float | None) -> str:
    """Never rounded up to all of it."""
    if value is None:
        return NOTHING
    shown = min(round(value, 1), 99.9) if value < 100 else 100
    return _t("%(number)s %%") % {"number": number_format(shown, 0 if shown == 100 else 1)}


def _percent_of_sent(tally: Tally) -> str:
    return _t("%(percent)s of those sent") % {"percent": _percent(tally.rate)} if tally.sent else ""


def duration(seconds: float | None) -> str:
    """About how long, for example "12 s", "3 min" or "2 h"."""
    if seconds is None:
        return NOTHING
    if seconds >= DELAYS[-1]:
        return _t("over a day")
    if seconds < 1:
        return _t("under 1 s")
    if seconds < 60:
        return _t("%(number)s s") % {"number": count(round(seconds))}
    if seconds < 3600:
        return _t("%(number)s min") % {"number": count(round(seconds / 60))}
    return _t("%(number)s h") % {"number": number_format(seconds / 3600, 1)}


def _cost(cost: Cost) -> Number:
    if cost.said and cost.expected:
        note = _t("%(amount)s of it by price list") % {"amount": money(cost.expected, cost.currency)}
    else:
        note = _t("by price list") if cost.expected else _t("as the providers said")
    return Number(money(cost.total, cost.currency), note=note)


def _opt_outs(period: str) -> Number:
    """Few enough to be counted, by the index of their time."""
    last = timezone.localdate(timezone=timezone.get_default_timezone())
    since = end_of(last - timedelta(days=PERIODS[period]))
    found = OptOut.objects.filter(opted_out_at__gte=since).count()
    return Number(count(found), reverse("admin:campaigns_optout_changelist") if found else "")


def _provider(card: GatewayCard, pulse: Pulse) -> Provider:
    accept = pulse.seconds_to_accept
    answered = ngettext("of %(count)s message", "of %(count)s messages", pulse.answered)
    return Provider(
        card=card,
        pulse=pulse,
        success=_percent(pulse.success),
        answered=answered % {"count": count(pulse.answered)} if pulse.answered else "",
        to_accept=_t("%(number)s s") % {"number": number_format(accept, 2)} if accept is not None else NOTHING,
    )


# --- the chart ---------------------------------------------------------------------------------------------------


def _chart(slots: list[Slot], *, is_one_day: bool) -> Chart | None:
    """None where nothing was sent: an empty frame says nothing."""
    sums = [[sum(slot.tally.statuses[status] for status in part.statuses) for part in PARTS] for slot in slots]
    if not any(map(any, sums)):
        return None
    bars = []
    for slot, values in zip(slots, sums, strict=True):
        # The log is asked by day: an hour has no rows of its own there.
        url = _log_of(slot) if any(values) and not is_one_day else ""
        cells = [
            Number(count(value), f"{url}&status__exact={part.status}" if url and value else "")
            for value, part in zip(values, PARTS, strict=True)
        ]
        bars.append(Bar(_label(slot.start, is_one_day=is_one_day), cells, url))
    drawn = {
        "labels": [bar.label for bar in bars],
        "urls": [bar.url for bar in bars],
        "parts": [
            {"name": str(part.name), "tone": part.tone, "values": [values[n] for values in sums]}
            for n, part in enumerate(PARTS)
        ],
    }
    return Chart(
        bars=bars,
        heads=[part.name for part in PARTS],
        legend=[(part.tone, part.name) for part in PARTS],
        unit=_t("Hour") if is_one_day else _t("Day"),
        drawn=json.dumps(drawn),
    )


def _log_of(slot: Slot) -> str:
    """All rows of a day."""
    day = slot.start.astimezone(timezone.get_default_timezone()).date().isoformat()
    return log_url(day__gte=day, day__lte=day)


def _label(start: datetime, *, is_one_day: bool) -> str:
    """Hours as the reader's clock shows them, days as the installation's calendar does."""
    if is_one_day:
        return date_format(timezone.localtime(start), "H:i")
    return date_format(timezone.localtime(start, timezone.get_default_timezone()), "j M")
