"""
Braking: judge campaigns that are being sent, pause those that pass a limit, let the others follow the first portion.

Asked by those who send, about once a second each, and by the sweeper. What is seen is judged again under the campaign's
lock, so that nothing is paused for figures that an operator has resumed it upon meanwhile.
"""

from __future__ import annotations

import time

from django.db import transaction

from campaigns import audit, lifecycle
from campaigns.brakes import Verdict, canary_words, is_braked, judge
from campaigns.models import Campaign, CampaignStatus

#: Between two looks of one worker, in seconds. What goes out meanwhile is what a brake can come too late for.
LOOK_SECONDS = 1.0


class Watch:
    """For a task that sends a campaign: looks at its brakes, but not at every step."""

    def __init__(self, campaign_id: int | None) -> None:
        self._campaign_id = campaign_id
        self._next_look = 0.0

    def look(self) -> None:
        """Brake if it is time to look, and the campaign has to stop."""
        if self._campaign_id is None or time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + LOOK_SECONDS
        apply_brakes(self._campaign_id)


def apply_brakes_to_all() -> None:
    """For the sweeper: receipts and opt-outs come, and deadlines pass, while nobody sends."""
    for pk in Campaign.objects.filter(is_braked(), status=CampaignStatus.SENDING).values_list("pk", flat=True):
        apply_brakes(pk)


def apply_brakes(campaign_id: int) -> None:
    """Pause the campaign if it passed a limit; wake it for all others when its first portion is over."""
    sending = Campaign.objects.filter(is_braked(), pk=campaign_id, status=CampaignStatus.SENDING)
    campaign = sending.first()
    if campaign is None or judge(campaign) is None:
        return
    with transaction.atomic():
        locked = sending.select_for_update().first()
        if locked is not None and (verdict := judge(locked)) is not None:
            _act(locked, verdict)


def _act(locked: Campaign, verdict: Verdict) -> None:
    if verdict.canary_is_over:
        locked.canary_last_id = None
        audit.record(
            "canary_over", campaign=locked, subject=locked.name, details={"reason": canary_words(verdict.figures)}
        )
    locked.brakes_passed = list(verdict.passed)
    locked.save(update_fields=["canary_last_id", "brakes_passed", "updated_at"])
    if verdict.reason:
        lifecycle.pause(locked, actor=None, reason=verdict.reason, by_engine=True)
    else:
        lifecycle.wake_campaign(locked)
