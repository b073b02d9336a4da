"""Kept figures: how many messages of a campaign stand where, without counting them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign


class FigureChange(models.Model):
    """
    One transaction's effect on a campaign's figures: `n` more (or fewer) messages in a state, for a reason.

    Append-only, since many workers would wait for each other at one counter row; the sweeper folds it into `Figure`.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+")
    status = models.CharField(max_length=11)
    reason = models.CharField(max_length=40, blank=True)
    n = models.IntegerField()

    class Meta:
        verbose_name = _("change of figures")
        verbose_name_plural = _("changes of figures")

    def __str__(self) -> str:
        return f"{self.n:+d} {self.status}"


class Figure(models.Model):
    """The folded sum of a campaign's changes for one state and reason."""

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="+")
    status = models.CharField(max_length=11)
    reason = models.CharField(max_length=40, blank=True)
    n = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("figure")
        verbose_name_plural = _("figures")
        constraints = [models.UniqueConstraint(fields=["campaign", "status", "reason"], name="figure_once")]

    def __str__(self) -> str:
        return f"{self.n} {self.status}"
