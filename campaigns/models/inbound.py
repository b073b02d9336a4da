"""What people wrote to us."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .contacts import Contact


class InboundMessage(models.Model):
    """A message from a phone, stored as it came. `fingerprint` makes a repeated delivery one row."""

    gateway = models.CharField(_("gateway"), max_length=50)
    phone_number = models.CharField(_("from"), max_length=32, db_index=True)
    to = models.CharField(_("to"), max_length=32, blank=True)
    text = models.TextField(_("text"))
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="inbound_messages", verbose_name=_("contact")
    )
    provider_message_id = models.CharField(_("provider's message id"), max_length=100, blank=True)
    raw = models.JSONField(_("as it came"), default=dict, blank=True)
    fingerprint = models.CharField(max_length=64, unique=True)
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("incoming message")
        verbose_name_plural = _("incoming messages")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.phone_number} {self.received_at:%Y-%m-%d %H:%M}"
