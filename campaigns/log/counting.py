"""How many rows a filter leaves, where that can be known without counting millions."""

from __future__ import annotations

from django.db.models import Sum

from campaigns.models import Figure, SentMessage
from campaigns.time_limits import TookTooLong, time_limit

from .filters import LogFilters
from .pages import LIMIT_SECONDS

#: What the kept figures know of a message.
_KEPT = {"campaign", "status", "reason", "gateway", "region", "days"}


def known_count(filters: LogFilters) -> int | None:
    """From the kept figures where they can tell, else counted for a second at most; None: that was not enough."""
    if set(filters.active) <= _KEPT:
        figures = Figure.objects.filter(filters.kept())
        return figures.aggregate(n=Sum("messages"))["n"] or 0
    try:
        with time_limit(LIMIT_SECONDS):
            return SentMessage.objects.filter(filters.condition()).order_by().count()
    except TookTooLong:
        return None
