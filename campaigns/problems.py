"""What is wrong with a campaign, grouped by state and reason, with what the provider says and what to do about it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from .advice import what_to_do
from .models import Campaign, MessageStatus, SentMessage
from .reports import Figures, ReasonCount

#: Of each state so many of the newest messages are read for the provider's words: any more would not be read by people.
_READ = 50
#: Different words shown for one reason.
_WORDS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Problem:
    """Messages in one state for one reason. `words` are the provider's own, the most frequent of late first."""

    status: str
    reason: str
    label: str
    count: int
    words: list[str]
    advice: str
    is_left_out: bool


def problems_of(campaign: Campaign, figures: Figures) -> list[Problem]:
    """The largest first, whom we left out on purpose last. A query for each state of what went wrong, five at most."""
    words = _words(campaign, {found.status for found in figures.problems})
    found = [_problem(one, words) for one in figures.reasons]
    return sorted(found, key=lambda problem: (problem.is_left_out, -problem.count))


def _problem(one: ReasonCount, words: dict[tuple[str, str], list[str]]) -> Problem:
    return Problem(
        status=one.status,
        reason=one.reason,
        label=one.label,
        count=one.count,
        words=words.get((one.status, one.reason), []),
        advice=what_to_do(one.status, one.reason),
        is_left_out=one.status == MessageStatus.SUPPRESSED,
    )


def _words(campaign: Campaign, statuses: set[str]) -> dict[tuple[str, str], list[str]]:
    """By state and reason, from the newest rows of each state, which an index gives."""
    counted: dict[tuple[str, str], Counter[str]] = {}
    for status in statuses:
        newest = SentMessage.objects.filter(campaign=campaign, status=status).order_by("-pk")
        for reason, text in newest.values_list("reason", "reason_text")[:_READ]:
            if text:
                counted.setdefault((status, reason), Counter())[text] += 1
    return {key: [text for text, _count in found.most_common(_WORDS_SHOWN)] for key, found in counted.items()}
