"""A campaign's figures as the page shows them: parts that add up to the audience, each a link to its rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _t
from django.utils.translation import ngettext

from campaigns.brakes import CanaryProgress, canary_progress
from campaigns.log import DONE, TO_GO
from campaigns.models import Campaign, MessageStatus
from campaigns.pace import Pace, pace_of
from campaigns.prices import money, price_table
from campaigns.problems import Problem, problems_of
from campaigns.reports import Figures, campaign_figures
from campaigns.waiting import Wait, campaign_waits

from .display import TONES, count, duration, log_url, words

POLL_RUNNING = 2
POLL_WAITING = 10
#: In the order of a message's life; those that are not over stand at the end of the bar.
ORDER = (
    MessageStatus.DELIVERED,
    MessageStatus.SENT,
    MessageStatus.UNDELIVERED,
    MessageStatus.EXPIRED,
    MessageStatus.REJECTED,
    MessageStatus.FAILED,
    MessageStatus.UNKNOWN,
    MessageStatus.SUPPRESSED,
    MessageStatus.CANCELLED,
    MessageStatus.SENDING,
    MessageStatus.CLAIMED,
    MessageStatus.QUEUED,
)


@dataclass(frozen=True)
class Part:
    """Messages in one state. `offset` and `width` are per cent of the bar."""

    status: str
    label: str
    tone: str
    count: int
    url: str
    offset: str
    width: str


@dataclass(frozen=True)
class Reason:
    """Messages in one state for one reason. `words` are the provider's own, `advice` says what to do."""

    status_label: str
    label: str
    count: int
    url: str
    is_left_out: bool
    words: list[str]
    advice: str
    tone: str


@dataclass(frozen=True)
class Progress:
    """Everything the panel shows."""

    figures: Figures
    parts: list[Part]
    reasons: list[Reason]
    audience_url: str
    canary: CanaryProgress | None
    #: How fast it goes and how long it will still take, in words; empty when nobody can tell.
    speed: str
    left: str
    #: When it is over, where it stands still at night or on quiet days, and when that is; empty where it does not.
    finish: str
    #: When it was looked at, and why nothing goes just now.
    at: datetime
    waits: list[Wait]
    #: It in a sentence, for those who hear the page.
    said: str
    #: What it has cost so far and of how much, and what of that is a guess; empty when nobody knows.
    spent: str
    guessed: str
    done_url: str
    pending_url: str


def progress_of(campaign: Campaign) -> Progress:
    """
    The figures of a campaign, in one query, and one each for its pace and what it waits for while it is being sent.

    One more where there is money to show, for each state of what went wrong (the provider's words), and for its first
    portion while the others wait for it.
    """
    figures = campaign_figures(campaign)
    spent, guessed = _money(campaign, figures)
    pace = pace_of(campaign, figures)
    return Progress(
        figures=figures,
        parts=parts_of(campaign, figures),
        reasons=[_reason(campaign, problem) for problem in problems_of(campaign, figures)],
        audience_url=log_url(campaign__id__exact=campaign.pk),
        canary=canary_progress(campaign),
        speed=_speed(pace),
        left=_left(pace),
        finish=_finish(pace),
        at=timezone.now(),
        waits=campaign_waits(campaign) if figures.pending else [],
        said=" ".join(filter(None, (_said(campaign, figures, _left(pace)), _finish(pace)))),
        spent=spent,
        guessed=guessed,
        done_url=log_url(campaign__id__exact=campaign.pk, status__exact=DONE),
        pending_url=log_url(campaign__id__exact=campaign.pk, status__exact=TO_GO),
    )


def _money(campaign: Campaign, figures: Figures) -> tuple[str, str]:
    if not figures.price and campaign.spend_limit is None:
        return "", ""
    prices = price_table(campaign.launch["gateway"])
    spent = money(figures.price + prices.at_most(None, figures.unpriced_segments), prices.currency)
    if campaign.spend_limit is not None:
        limit = money(campaign.spend_limit, prices.currency)
        spent = _t("%(spent)s of %(limit)s") % {"spent": spent, "limit": limit}
    if not figures.unpriced_segments:
        return spent, ""
    guessed = ngettext(
        "%(count)s segment without a price is counted at the highest price.",
        "%(count)s segments without a price are counted at the highest price.",
        figures.unpriced_segments,
    ) % {"count": count(figures.unpriced_segments)}
    return spent, guessed


def parts_of(campaign: Campaign, figures: Figures) -> list[Part]:
    """All states, those of no message too, in the order of a message's life."""
    whole = max(sum(figures.messages.values()), 1)
    parts, offset = [], 0.0
    for status in ORDER:
        number = figures.messages[status]
        width = 100 * number / whole
        url = log_url(campaign__id__exact=campaign.pk, status__exact=status)
        # Formatted here: in Russian a template would write a comma into the SVG.
        parts.append(Part(status, str(status.label), TONES[status], number, url, f"{offset:.3f}", f"{width:.3f}"))
        offset += width
    return parts


def _reason(campaign: Campaign, problem: Problem) -> Reason:
    return Reason(
        status_label=str(MessageStatus(problem.status).label),
        label=problem.label,
        count=problem.count,
        url=log_url(campaign__id__exact=campaign.pk, status__exact=problem.status, reason__exact=problem.reason),
        is_left_out=problem.is_left_out,
        words=[words(text) for text in problem.words],
        advice=problem.advice,
        tone=TONES[problem.status],
    )


def _said(campaign: Campaign, figures: Figures, left: str) -> str:
    """How it stands in one sentence."""
    sentence = _t("%(status)s: %(done)s of %(audience)s done, %(pending)s to go.") % {
        "status": campaign.get_status_display(),
        "done": count(figures.done),
        "audience": count(figures.audience),
        "pending": count(figures.pending),
    }
    return " ".join((sentence, _t("About %(time)s left.") % {"time": left})) if left else sentence


def _speed(pace: Pace | None) -> str:
    """For example "83 per second", "12 per minute"."""
    if pace is None or not pace.per_second:
        return ""
    if pace.per_second >= 1:
        return _t("%(number)s per second") % {"number": count(round(pace.per_second))}
    return _t("%(number)s per minute") % {"number": count(max(round(60 * pace.per_second), 1))}


def _left(pace: Pace | None) -> str:
    return duration(pace.done_at - timezone.now()) if pace is not None and pace.done_at is not None else ""


def _finish(pace: Pace | None) -> str:
    """For example: it finishes Tue 11:40 and waits for the sending hours from Mon 21:00 until Tue 09:00."""
    if pace is None or pace.stops_at is None or pace.goes_on_at is None:
        return ""
    named = {"stop": _weekday(pace.stops_at), "on": _weekday(pace.goes_on_at)}
    if pace.done_at is None:
        return _t("It waits for the sending hours from %(stop)s until %(on)s.") % named
    named["end"] = _weekday(pace.done_at)
    return _t("It finishes %(end)s and waits for the sending hours from %(stop)s until %(on)s.") % named


def _weekday(value: datetime) -> str:
    """The day of the week and the time; the date where that could be another week's."""
    is_near = abs(value - timezone.now()) < timedelta(days=6)
    return date_format(timezone.localtime(value), "D H:i" if is_near else "D j M H:i")


def poll_seconds(campaign: Campaign, progress: Progress | None) -> int:
    """When the page should ask again; 0: nothing more will happen by itself. `progress`: None before the launch."""
    if campaign.is_running:
        return POLL_RUNNING
    if progress is None:
        return 0
    return POLL_WAITING if progress.figures.pending or progress.figures.messages[MessageStatus.SENT] else 0
