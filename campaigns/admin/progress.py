"""A campaign's figures as the page shows them: parts that add up to the audience, each a link to its rows."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.models import Campaign, MessageStatus, SuppressionReason
from campaigns.reports import Figures, campaign_figures, reason_label

from .display import TONES, log_url

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
    """Messages in one state for one reason."""

    status_label: str
    label: str
    count: int
    url: str
    is_left_out: bool


@dataclass(frozen=True)
class Progress:
    """Everything the panel shows."""

    figures: Figures
    parts: list[Part]
    reasons: list[Reason]
    audience_url: str


def progress_of(campaign: Campaign) -> Progress:
    """The figures of a campaign, in one query."""
    figures = campaign_figures(campaign)
    return Progress(
        figures=figures,
        parts=_parts(campaign, figures),
        reasons=_reasons(campaign, figures),
        audience_url=log_url(campaign__id__exact=campaign.pk),
    )


def _parts(campaign: Campaign, figures: Figures) -> list[Part]:
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


def _reasons(campaign: Campaign, figures: Figures) -> list[Reason]:
    return [
        Reason(
            status_label=str(MessageStatus(found.status).label),
            label=reason_label(found.reason),
            count=found.count,
            url=log_url(campaign__id__exact=campaign.pk, status__exact=found.status, reason__exact=found.reason),
            is_left_out=found.reason in SuppressionReason.values and found.status == MessageStatus.SUPPRESSED,
        )
        for found in sorted(figures.reasons, key=lambda found: -found.count)
    ]


def poll_seconds(campaign: Campaign, progress: Progress | None) -> int:
    """When the page should ask again; 0: nothing more will happen by itself. `progress`: None before the launch."""
    if campaign.is_running:
        return POLL_RUNNING
    if progress is None:
        return 0
    return POLL_WAITING if progress.figures.pending or progress.figures.messages[MessageStatus.SENT] else 0
