"""What the installation knows of its gateways and workers while it runs."""

from __future__ import annotations

from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext as _t
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
    price_currency = models.CharField(
        _("currency of the prices"),
        max_length=5,
        blank=True,
        db_default="",
        validators=[RegexValidator(r"^[A-Z]{3}$", _("Give the three letters of a currency, such as EUR or RUB."))],
        help_text=_("Three letters, such as EUR or RUB. Spend limits are in this currency too."),
    )
    daily_spend_limit = models.DecimalField(
        _("spend limit for each day"), max_digits=14, decimal_places=2, null=True, blank=True
    )
    #: The day's spend limit is reached: nothing more is claimed before this time.
    spent_until = models.DateTimeField(_("limit for the day reached, until"), null=True, editable=False)
    balance = models.DecimalField(_("balance"), max_digits=14, decimal_places=4, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=5, blank=True)
    balance_at = models.DateTimeField(_("balance asked at"), null=True, blank=True)
    #: Why the last question for the balance was not answered, and when; empty when it was.
    balance_problem = models.TextField(blank=True, default="", editable=False)
    balance_tried_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = _("gateway")
        verbose_name_plural = _("gateways")
        ordering = ["alias"]
        permissions = [
            ("resume_gateway", _("Can pause and resume gateways")),
            ("manage_gateway", _("Can set the pace and the spend limit of gateways")),
        ]

    def __str__(self) -> str:
        return self.alias

    @property
    def is_paused(self) -> bool:
        return self.paused_at is not None


class PriceList(GatewayState):
    """A gateway as the page sees it on which its prices are entered."""

    class Meta:
        proxy = True
        default_permissions = ()
        verbose_name = _("price list")
        verbose_name_plural = _("prices")

    def __str__(self) -> str:
        return _t("Prices of “%(alias)s”") % {"alias": self.alias}


class GatewayPrice(models.Model):
    """
    What one segment costs through a gateway, to numbers that begin with `prefix`; the longest prefix wins.

    The currency is the gateway's (`price_currency`), so there can be no more than one.
    """

    gateway = models.ForeignKey(
        GatewayState, models.CASCADE, to_field="alias", db_column="gateway", related_name="prices", db_index=False
    )
    prefix = models.CharField(
        _("numbers that begin with"),
        max_length=15,
        blank=True,
        validators=[RegexValidator(r"^[1-9]\d*$", _("Digits only, the country's code first, such as 7 or 44."))],
    )
    per_segment = models.DecimalField(
        _("price of one SMS segment"), max_digits=10, decimal_places=5, validators=[MinValueValidator(0)]
    )

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        ordering = ["gateway", "prefix"]
        # Whoever may change the prices may add and remove them.
        default_permissions = ("view", "change")
        constraints = [
            models.UniqueConstraint(
                fields=["gateway", "prefix"],
                name="price_once",
                violation_error_message=_("There is a price for this prefix already."),
            )
        ]

    def __str__(self) -> str:
        return f"+{self.prefix}: {self.per_segment}" if self.prefix else str(self.per_segment)


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
