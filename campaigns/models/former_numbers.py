"""Numbers that people had before."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import masking

from .contacts import Contact


class FormerNumber(models.Model):
    """
    A number that was this contact's until `until`: it was changed, or two contacts turned out to be one person.

    What was sent to it, its receipts, its opt-out and its consent stay with it. `was` is what the other contact held
    when the two were merged, empty when only a number was changed.
    """

    contact = models.ForeignKey(Contact, models.CASCADE, related_name="former_numbers", verbose_name=_("contact"))
    phone_number = models.CharField(_("phone number"), max_length=16, db_index=True)
    until = models.DateTimeField(_("until"), default=timezone.now)
    was = models.JSONField(default=dict, blank=True)
    recorded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("recorded by"),
    )

    class Meta:
        verbose_name = _("former number")
        verbose_name_plural = _("former numbers")
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return masking.number(self.phone_number)
