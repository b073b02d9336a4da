"""What somebody has typed and not saved yet."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from .campaigns import Campaign


class CampaignDraft(models.Model):
    """
    A campaign's form as one person has it on the screen; `campaign` is empty for one that was never saved.

    It changes nothing of the campaign: half a sentence can be neither sent nor approved. `version` counts how often it
    was saved, `base` is the version of the campaign that was typed over, and `fields` the form as a browser sends it.
    """

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    campaign = models.ForeignKey(Campaign, models.CASCADE, null=True, related_name="drafts")
    fields = models.JSONField(default=dict)
    version = models.PositiveIntegerField(default=1)
    base = models.CharField(max_length=40, blank=True)
    started_at = models.DateTimeField()
    saved_at = models.DateTimeField()
    #: When the page was last open with it.
    seen_at = models.DateTimeField()

    class Meta:
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["user", "campaign"], name="one_draft_per_person"),
            models.UniqueConstraint(fields=["user"], condition=Q(campaign=None), name="one_new_draft_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.campaign_id}"
