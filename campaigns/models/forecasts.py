"""What sending a campaign would do: counted in the background, kept, and good only while nothing has changed."""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .campaigns import Campaign


class ForecastKind(models.TextChoices):
    """What is foreseen."""

    #: People, segments, money and time.
    PREFLIGHT = "preflight", _("before sending")
    #: That, and what would become of each message if the simulator were the provider. Nothing is sent.
    REHEARSAL = "rehearsal", _("rehearsal")


class AudienceFact(StrEnum):
    """What an audience depends on and may change at any time."""

    #: Somebody was put into a group or taken out of it.
    MEMBERS = "members"
    #: What is known of somebody in a group was changed.
    CONTACTS = "contacts"
    #: Somebody opted out, or gets no marketing until an answer was reviewed: fewer messages, if any difference.
    FEWER = "fewer"
    #: An opt-out was lifted, or is now that of another number.
    OPT_OUTS = "opt_outs"
    #: The same of those whose answer waited for review.
    HOLDS = "holds"
    #: For a while nobody counted changes.
    EVERYTHING = "everything"


class AudienceChange(models.Model):
    """
    So many changes of something that audiences depend on, written by the database itself (`forecasting.changes`).

    What holds is the sum over all rows of a fact and group, which only ever grows: PostgreSQL appends a row with each
    statement, and the sweeper folds them. `group_id` is 0 where no group is concerned.
    """

    fact = models.CharField(max_length=10)
    group_id = models.BigIntegerField(default=0)
    changes = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["fact", "group_id"], name="audience_change")]

    def __str__(self) -> str:
        return f"{self.fact} {self.group_id}: {self.changes}"


class ForecastStatus(models.TextChoices):
    """How far the counting is."""

    COUNTING = "counting", _("counting")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")


class Forecast(models.Model):
    """
    The latest forecast of a kind for a campaign.

    `stamp` is what it was computed from; where the same question gives another stamp now, the forecast is outdated.
    `token` names one counting, so that work begun for an earlier one comes to nothing. `compared_at`: when everybody in
    the groups was last compared with those who were counted, person by person.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="forecasts")
    kind = models.CharField(max_length=10, choices=ForecastKind)
    status = models.CharField(max_length=10, choices=ForecastStatus, default=ForecastStatus.COUNTING)
    token = models.CharField(max_length=32)
    stamp = models.JSONField(default=dict)
    people = models.PositiveIntegerField(default=0)
    result = models.JSONField(null=True)
    problem = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)
    compared_at = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        verbose_name = _("forecast")
        verbose_name_plural = _("forecasts")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["campaign", "kind"], name="forecast_once")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.campaign_id}"


class ForecastPart(models.Model):
    """
    The part of an audience between two contact ids, counted by one worker in one go.

    A part whose worker is gone is counted again from its beginning by another.
    """

    forecast = models.ForeignKey(Forecast, models.CASCADE, related_name="parts")
    token = models.CharField(max_length=32)
    after = models.BigIntegerField()
    up_to = models.BigIntegerField()
    done_count = models.PositiveIntegerField(default=0)
    #: Until when whoever counts it is believed to be alive; None while nobody does.
    leased_until = models.DateTimeField(null=True)
    result = models.JSONField(null=True)

    class Meta:
        default_permissions = ()
        ordering = ["after"]

    def __str__(self) -> str:
        return f"{self.after}-{self.up_to}"


class ApprovalStatus(models.TextChoices):
    """What became of a request for approval."""

    WAITING = "waiting", _("waiting for approval")
    APPROVED = "approved", _("approved")
    DECLINED = "declined", _("declined")
    #: The campaign was changed after it, or asked for anew.
    VOID = "void", _("no longer valid")


class Approval(models.Model):
    """
    A request that a second person lets a campaign be sent, and their answer.

    It is about one state of the campaign (`fingerprint`), which starts at `starts_at` (None: at once), and about so
    many people. With `again` it is about sending an ended campaign's text again, to its people in these states.
    """

    campaign = models.ForeignKey(Campaign, models.CASCADE, related_name="approvals")
    status = models.CharField(_("status"), max_length=10, choices=ApprovalStatus, default=ApprovalStatus.WAITING)
    fingerprint = models.CharField(max_length=64)
    starts_at = models.DateTimeField(_("start at"), null=True)
    #: States of messages, with commas between them; empty for the campaign itself.
    again = models.CharField(max_length=100, blank=True, default="", db_default="", editable=False)
    #: Those in the groups, and those of them who would get it, when it was asked for.
    people = models.PositiveIntegerField()
    recipients = models.PositiveIntegerField()
    segments = models.PositiveIntegerField()
    cost = models.DecimalField(max_digits=18, decimal_places=5, null=True)
    currency = models.CharField(max_length=5, blank=True)
    asked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("asked for by")
    )
    asked_at = models.DateTimeField(default=timezone.now)
    question = models.TextField(_("what they wrote"), blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(null=True)
    answer = models.TextField(_("answer"), blank=True)

    class Meta:
        verbose_name = _("approval")
        verbose_name_plural = _("approvals")
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "again"],
                condition=models.Q(status__in=[ApprovalStatus.WAITING, ApprovalStatus.APPROVED]),
                name="approval_one_open",
            )
        ]
        indexes = [
            models.Index(
                fields=["campaign"], name="approval_waiting", condition=models.Q(status=ApprovalStatus.WAITING)
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_status_display()}: {self.campaign_id}"
