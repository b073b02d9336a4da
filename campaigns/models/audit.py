"""Who did what."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign


class AppendOnly(TypeError):
    """Entries of the audit trail are written once."""


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    """Entries can be read and added. Erasing changes a few, as `campaigns.audit_triggers` lets it."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is only added to.")

    def delete(self) -> NoReturn:
        raise AppendOnly("The audit trail is only added to.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is only added to.")


class AuditEvent(models.Model):
    """
    An act of a person or of the engine (no actor). Written in the same transaction as what it tells of.

    `details` may name people only by being about one: `subject` is then the number, by which erasing finds it.
    `details["changes"]` holds, by field, what it was before and after. `actor_name` outlives the user.
    """

    at = models.DateTimeField(_("at"), auto_now_add=True, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="+",
        verbose_name=_("who"),
    )
    actor_name = models.CharField(max_length=150, blank=True, db_default="")
    action = models.CharField(_("what"), max_length=50)
    campaign = models.ForeignKey(
        Campaign,
        models.SET_NULL,
        null=True,
        blank=True,
        db_index=False,
        related_name="audit_events",
        verbose_name=_("campaign"),
    )
    subject = models.CharField(_("about"), max_length=200, blank=True)
    count = models.PositiveBigIntegerField(_("how many"), null=True, blank=True)
    details = models.JSONField(_("details"), default=dict, blank=True)

    objects = AuditQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the audit trail")
        verbose_name_plural = _("audit trail")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["actor", "-id"], name="audit_actor"),
            models.Index(fields=["action", "-id"], name="audit_action"),
            models.Index(fields=["campaign", "-id"], name="audit_campaign"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnly("The audit trail is only added to.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AppendOnly("The audit trail is only added to.")
