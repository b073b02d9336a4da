"""What the installation knows of its gateways and workers while it runs."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .campaigns import RateUnit


class GatewayState(models.Model):
    """
    One row per gateway alias: whether it is paused or held, why, and its last known balance.

    A paused gateway waits for an operator, a held one for a time. Neither takes new messages; nothing is lost and
    nothing is marked failed.
    """

    alias = models.CharField(_("gateway"), max_length=50, unique=True)
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    pause_reason = models.CharField(_("reason"), max_length=40, blank=True)
    provider_text = models.TextField(_("provider's words"), blank=True)
    held_until = models.DateTimeField(
        _("held until"),
        null=True,
        blank=True,
        help_text=_("The provider was too busy or could not be reached; it is tried again by itself at this time."),
    )
    failure_count = models.PositiveIntegerField(
        _("failures in a row"),
        default=0,
        help_text=_("Requests that did not reach the provider since the last that did."),
    )
    max_per_second = models.PositiveIntegerField(
        _("at most per second"), null=True, blank=True, help_text=_("All workers together. Empty: no limit.")
    )
    rate_unit = models.CharField(_("counted in"), max_length=8, choices=RateUnit, default=RateUnit.MESSAGES)
    #: The next moment at which the rate lets a message go.
    next_slot_at = models.DateTimeField(null=True, editable=False)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=5, blank=True)
    balance_at = models.DateTimeField(_("balance asked at"), null=True, blank=True)

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        ordering = ["alias"]
        permissions = [("resume_gateway", _("Can pause and resume gateways"))]

    def __str__(self) -> str:
        return self.alias

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


class Heartbeat(models.Model):
    """A sign of life, written by every worker process that works off the queue and by every sweep."""

    name = models.CharField(_("name"), max_length=50, unique=True)
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("sign of life")
        verbose_name_plural = _("signs of life")

    def __str__(self) -> str:
        return self.name


class RequestSlot(models.Model):
    """
    The right to have one request open at an account. Leased, so that a dead worker's slots come back by themselves.

    `account` is the adapter's fingerprint (aliases of one account share their slots), `number` counts from 0.
    """

    account = models.CharField(max_length=80)
    number = models.PositiveSmallIntegerField()
    token = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("request slot")
        verbose_name_plural = _("request slots")
        constraints = [models.UniqueConstraint(fields=["account", "number"], name="slot_once")]

    def __str__(self) -> str:
        return f"{self.account} {self.number}"
