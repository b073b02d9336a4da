"""Days on which nobody should be written to."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Holiday(models.Model):
    """A day on which campaigns that skip holidays are not sent, in one country or everywhere."""

    date = models.DateField(_("date"))
    country = models.CharField(_("country"), max_length=2, blank=True, help_text=_("Two letters. Empty: everywhere."))
    name = models.CharField(_("name"), max_length=100, blank=True)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ["date"]
        constraints = [models.UniqueConstraint(fields=["date", "country"], name="holiday_once")]

    def __str__(self) -> str:
        return f"{self.date} {self.country} {self.name}".strip()
