"""What is remembered of how campaigns went: their pace, and what a report needs that takes long to count."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign


class CampaignMinute(models.Model):
    """
    How many messages of a campaign had been handed over when it was last looked at within this minute.

    `waiting`: how many waited then, by time zone and country ("Europe/Moscow|RU"); None where no hours are set.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="minutes", db_index=False)
    minute = models.DateTimeField()
    at = models.DateTimeField()
    handed_over = models.PositiveBigIntegerField()
    waiting = models.JSONField(null=True)

    class Meta:
        verbose_name = _("minute of a campaign")
        verbose_name_plural = _("minutes of campaigns")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["campaign", "minute"], name="campaign_minute_once")]

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.minute:%Y-%m-%d %H:%M}"


class CampaignReport(models.Model):
    """
    What a report says beyond the kept figures (see `campaigns.campaign_report`), counted in the background.

    `asked_at` is when it was last asked for, `made_at` when it was counted; `known` is what was found.
    """

    campaign = models.OneToOneField(Campaign, models.CASCADE, related_name="report")
    asked_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField(null=True)
    known = models.JSONField(default=dict)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.campaign_id)
