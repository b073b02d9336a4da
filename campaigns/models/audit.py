"""Who did what."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign


class AuditEvent(models.Model):
    """An act of a person or of the engine (no actor). Written in the same transaction as what it tells of."""

    at = models.DateTimeField(_("at"), auto_now_add=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("who")
    )
    action = models.CharField(_("what"), max_length=50)
    campaign = models.ForeignKey(
        Campaign, models.CASCADE, null=True, blank=True, related_name="audit_events", verbose_name=_("campaign")
    )
    subject = models.CharField(_("about"), max_length=200, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    class Meta:
        verbose_name = _("entry of the audit trail")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}".strip()
