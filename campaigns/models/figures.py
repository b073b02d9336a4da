"""Kept figures: how many messages stand where, without counting the log."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign

#: Stands for the hours of days that are over: their rows are summed up, an hour each would be too many to read.
WHOLE_DAY = datetime(1970, 1, 1, tzinfo=UTC)
#: `delay` of what was not delivered.
NO_DELAY = -1


class Figure(models.Model):
    """
    So many messages, segments and money (the price expected) in one state for one reason.

    Written by the database itself with every change of the log (`campaigns.kept_figures`), never by hand. What holds is
    the sum over all rows with the same key: on PostgreSQL each statement that changes messages appends rows, which the
    sweeper folds into one (`is_folded`) from time to time.
    """

    #: No constraint: checking it would lock the campaign's row with every change of a message, and deadlock with
    #: whoever has locked the campaign and waits for the message. A campaign that has messages is never deleted.
    campaign = models.ForeignKey(
        Campaign, models.DO_NOTHING, null=True, related_name="kept_figures", db_index=False, db_constraint=False
    )
    gateway = models.CharField(max_length=50)
    region = models.CharField(max_length=2, blank=True)
    #: The message's `day`: when it was last claimed; None for what never was.
    day = models.DateField(null=True)
    status = models.CharField(max_length=11)
    reason = models.CharField(max_length=40, blank=True)
    messages = models.BigIntegerField(default=0)
    segments = models.BigIntegerField(default=0)
    price = models.DecimalField(max_digits=18, decimal_places=5, default=0)
    #: Segments of the messages that have no price, which `price` leaves out.
    unpriced_segments = models.IntegerField(default=0, db_default=0)
    is_folded = models.BooleanField(default=False)

    #: What `DayFigure` tells apart and this table does not: filled in where a row was appended, until it is folded.
    hour = models.DateTimeField(null=True)
    currency = models.CharField(max_length=5, blank=True, db_default="")
    delay = models.SmallIntegerField(default=NO_DELAY, db_default=NO_DELAY)
    cost = models.DecimalField(max_digits=18, decimal_places=5, default=0, db_default=0)
    expected_cost = models.DecimalField(max_digits=18, decimal_places=5, default=0, db_default=0)
    uncosted_segments = models.IntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("figure")
        verbose_name_plural = _("figures")
        default_permissions = ()
        indexes = [
            models.Index(fields=["campaign", "status", "reason", "day", "region"], name="figure_campaign"),
            models.Index(fields=["day", "gateway"], name="figure_day"),
            models.Index(fields=["id"], name="figure_unfolded", condition=models.Q(is_folded=False)),
        ]

    def __str__(self) -> str:
        return f"{self.status} {self.reason}: {self.messages}"


class DayFigure(models.Model):
    """
    So many messages of a day that were handed over, or came to an end without it, in one state for one reason.

    Written with `Figure` (`campaigns.day_figures`). The day is the message's `day`, by the installation's calendar; the
    hour, of UTC, is that in which the provider took it, or, if none did, in which that was decided. What holds is the
    sum over all rows of a key: hours are told apart only until a day is over (`WHOLE_DAY`).
    """

    day = models.DateField()
    hour = models.DateTimeField()
    gateway = models.CharField(max_length=50)
    region = models.CharField(max_length=2, blank=True)
    status = models.CharField(max_length=11)
    reason = models.CharField(max_length=40, blank=True)
    #: Of `cost`: what the provider said.
    currency = models.CharField(max_length=5, blank=True)
    #: How long delivery took: which of `campaigns.figure_triggers.DELAYS` it was not below.
    delay = models.SmallIntegerField(default=NO_DELAY)
    messages = models.BigIntegerField(default=0)
    segments = models.BigIntegerField(default=0)
    #: What the provider says it cost, and what is expected of those whose cost it does not say.
    cost = models.DecimalField(max_digits=18, decimal_places=5, default=0)
    expected_cost = models.DecimalField(max_digits=18, decimal_places=5, default=0)
    #: Segments of which neither is known.
    uncosted_segments = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = _("figure of a day")
        verbose_name_plural = _("figures of days")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["day", "hour", "gateway", "region", "status", "reason", "currency", "delay"],
                name="day_figure_once",
            )
        ]
        indexes = [models.Index(fields=["day"], name="day_figure_hours", condition=~models.Q(hour=WHOLE_DAY))]

    def __str__(self) -> str:
        return f"{self.day} {self.status} {self.reason}: {self.messages}"


class DayRecount(models.Model):
    """
    How far the figures by day reach back: one row, or none where they were kept from the first message on.

    Messages whose id is up to `left_to` are in no day's figures yet (`campaigns.past_days` counts them, the newest
    first); 0: all are. `newest` is the id at which that began.
    """

    newest = models.BigIntegerField()
    left_to = models.BigIntegerField()
    #: Until when whoever counts them is believed to be alive; None while nobody does.
    leased_until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.left_to} of {self.newest} left"


class GatewayMinute(models.Model):
    """What a gateway answered to the hand-overs that were begun in one minute (`campaigns.gateway_pulse`)."""

    gateway = models.CharField(max_length=50)
    minute = models.DateTimeField()
    taken = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    #: Ended without an answer that says whether it was taken.
    unclear = models.PositiveIntegerField(default=0)
    #: How long the taken ones took, all together.
    waited = models.DurationField()
    last_attempt = models.BigIntegerField()
    error = models.TextField(blank=True)
    error_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("minute of a gateway")
        verbose_name_plural = _("minutes of gateways")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["minute", "gateway"], name="gateway_minute_once")]

    def __str__(self) -> str:
        return f"{self.gateway} {timezone.localtime(self.minute):%H:%M}"
