"""A campaign: one text for the people in some groups, sent once."""

from __future__ import annotations

from datetime import time

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .contacts import ContactGroup
from .templates import MessageTemplate


class CampaignStatus(models.TextChoices):
    """Where a campaign stands. Changed only by `campaigns.lifecycle`."""

    DRAFT = "draft", _("draft")
    SCHEDULED = "scheduled", _("scheduled")
    FREEZING = "freezing", _("preparing")
    SENDING = "sending", _("sending")
    PAUSED = "paused", _("paused")
    COMPLETED = "completed", _("completed")
    CANCELLED = "cancelled", _("cancelled")


#: May still be written: nothing of it was offered to anybody.
EDITABLE = frozenset({CampaignStatus.DRAFT, CampaignStatus.SCHEDULED})
#: Working now.
RUNNING = frozenset({CampaignStatus.FREEZING, CampaignStatus.SENDING})
#: Nothing more will happen by itself.
ENDED = frozenset({CampaignStatus.COMPLETED, CampaignStatus.CANCELLED})


class CampaignKind(models.TextChoices):
    """What the law calls it: marketing needs consent and decent hours, service messages do not."""

    SERVICE = "service", _("service")
    MARKETING = "marketing", _("marketing")


#: The hours that a marketing campaign gets unless others are given.
MARKETING_WINDOW = (time(9), time(21))


class LateStart(models.TextChoices):
    """What to do with a scheduled campaign whose time passed while nothing was running."""

    SEND = "send", _("send it now")
    ASK = "ask", _("pause and ask")
    SKIP = "skip", _("do not send it")


class CanaryThen(models.TextChoices):
    """What follows when a campaign's first portion went well."""

    GO_ON = "go_on", _("go on by itself")
    ASK = "ask", _("pause and ask")


#: How long receipts of the first portion are waited for, unless said otherwise.
CANARY_WAIT_MINUTES = 30
_MINUTES_IN_A_DAY = 24 * 60
#: A share of all is never more than all: 100 would be no limit.
_PERCENT = [MaxValueValidator(99)]


class RateUnit(models.TextChoices):
    """What a rate counts."""

    MESSAGES = "messages", _("messages")
    SEGMENTS = "segments", _("segments")


class Campaign(models.Model):
    """
    A text with `{{ placeholders }}`, who gets it, through which gateway and when.

    `launch` is what was copied at the moment of launching (body, sender, gateway, group ids, highest contact id);
    `launch_token` names that launch, so that work begun for an earlier one cannot go on in a later one.
    """

    name = models.CharField(_("name"), max_length=150)
    body = models.TextField(
        _("text"),
        help_text=_(
            'Placeholders: {{ first_name }}, {{ last_name }} or any other field; {{ first_name|default:"friend" }}.'
        ),
    )
    #: The same in other languages, by language tag; whoever speaks none of them gets `body`.
    texts = models.JSONField(_("in other languages"), default=dict, blank=True)
    #: Where the texts were taken from. They are the campaign's own: what becomes of the template changes none.
    template = models.ForeignKey(
        MessageTemplate,
        models.SET_NULL,
        null=True,
        blank=True,
        verbose_name=_("template"),
        related_name="campaigns",
    )
    kind = models.CharField(_("kind"), max_length=10, choices=CampaignKind, default=CampaignKind.SERVICE)
    include_groups = models.ManyToManyField(
        ContactGroup, verbose_name=_("to these groups"), related_name="campaigns_including", blank=True
    )
    exclude_groups = models.ManyToManyField(
        ContactGroup, verbose_name=_("but not to these"), related_name="campaigns_excluding", blank=True
    )
    gateway = models.CharField(_("gateway"), max_length=50, default="default")
    sender_id = models.CharField(
        _("sender"), max_length=15, blank=True, help_text=_("What the phone shows. Empty: the gateway's default.")
    )
    scheduled_at = models.DateTimeField(_("start at"), null=True, blank=True)
    window_start = models.TimeField(
        _("send from"), null=True, blank=True, help_text=_("Time of day where the recipient lives. Empty: at any time.")
    )
    window_end = models.TimeField(_("send until"), null=True, blank=True)
    window_days = models.JSONField(
        _("on these days"),
        default=list,
        blank=True,
        help_text=_("Numbers of the days of the week, Monday is 1. Empty: on all days."),
    )
    skip_holidays = models.BooleanField(
        _("not on holidays"), default=False, help_text=_("Holidays of the recipient's country, as listed under System.")
    )
    ends_at = models.DateTimeField(
        _("send no later than"), null=True, blank=True, help_text=_("What is still waiting then is given up: too late.")
    )
    late_start = models.CharField(
        _("if the start was missed"),
        max_length=5,
        choices=LateStart,
        default=LateStart.SEND,
        help_text=_("What to do when nothing was running here at the time of the start."),
    )
    max_per_second = models.PositiveIntegerField(
        _("at most per second"), null=True, blank=True, help_text=_("Empty: as fast as the gateway allows.")
    )
    rate_unit = models.CharField(_("counted in"), max_length=8, choices=RateUnit, default=RateUnit.MESSAGES)
    canary_size = models.PositiveIntegerField(
        _("first send to only"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text=_("So many people get it first; all others wait until it is known how that went. Empty: no portion."),
    )
    canary_wait_minutes = models.PositiveIntegerField(
        _("wait for their receipts, minutes"),
        default=CANARY_WAIT_MINUTES,
        validators=[MinValueValidator(1), MaxValueValidator(_MINUTES_IN_A_DAY)],
        help_text=_("At most so long after the last of them was sent. Not at all where the gateway reports nothing."),
    )
    canary_then = models.CharField(_("if it went well"), max_length=5, choices=CanaryThen, default=CanaryThen.GO_ON)
    brake_refused = models.PositiveSmallIntegerField(
        _("refused at most, %"),
        null=True,
        blank=True,
        validators=_PERCENT,
        help_text=_("Of those the provider answered for."),
    )
    brake_undelivered = models.PositiveSmallIntegerField(
        _("not delivered at most, %"),
        null=True,
        blank=True,
        validators=_PERCENT,
        help_text=_("Of those whose receipt says delivered, not delivered or expired."),
    )
    brake_opt_outs = models.PositiveSmallIntegerField(
        _("opted out at most, %"),
        null=True,
        blank=True,
        validators=_PERCENT,
        help_text=_("Of those who were sent it."),
    )
    #: In the currency of the gateway's prices. What may cost no more altogether: see `sending.spending`.
    spend_limit = models.DecimalField(
        _("spend limit"),
        max_digits=14,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("In the currency of the gateway's prices. Empty: no limit. It pauses before it would cost more."),
    )
    parent = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        blank=True,
        editable=False,
        related_name="children",
        verbose_name=_("sent again from"),
    )

    status = models.CharField(
        _("status"), max_length=10, choices=CampaignStatus, default=CampaignStatus.DRAFT, editable=False
    )
    pause_reason = models.TextField(_("why it is paused"), blank=True, editable=False)
    paused_by_engine = models.BooleanField(default=False, editable=False)
    launch = models.JSONField(default=dict, blank=True, editable=False)
    launch_token = models.CharField(max_length=32, blank=True, editable=False)
    #: The next moment at which the campaign's own rate lets a message go.
    next_slot_at = models.DateTimeField(null=True, editable=False)
    #: While it is set, only messages up to this one may be claimed: the first portion is not over.
    canary_last_id = models.BigIntegerField(null=True, editable=False)
    #: The brakes that paused it, by field name; and what had gone wrong, of how many, when it was resumed after that.
    brakes_passed = models.JSONField(default=list, blank=True, editable=False)
    brake_base = models.JSONField(default=dict, blank=True, editable=False)
    freeze_cursor = models.BigIntegerField(default=0, editable=False)
    audience = models.PositiveIntegerField(_("audience"), default=0, editable=False)
    time_zones = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    launched_at = models.DateTimeField(_("launched"), null=True, editable=False)
    frozen_at = models.DateTimeField(_("prepared"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
    #: Out of sight, with everything that it sent.
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)
    last_handover_at = models.DateTimeField(_("last message handed over"), null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("written by"),
    )
    launched_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("sent by"),
    )

    class Meta:
        verbose_name = _("campaign")
        verbose_name_plural = _("campaigns")
        ordering = ["-id"]
        permissions = [
            ("launch_campaign", _("Can send and schedule campaigns")),
            ("control_campaign", _("Can pause, resume and cancel campaigns")),
            ("approve_campaign", _("Can approve campaigns of others")),
            ("send_quick", _("Can send single messages")),
            ("resend_campaign", _("Can send again to those who were not reached")),
        ]
        indexes = [models.Index(fields=["status"], name="campaign_status")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(window_start__isnull=True, window_end__isnull=True)
                | models.Q(window_start__isnull=False, window_end__isnull=False),
                name="campaign_window_both_ends",
                violation_error_message=_("Give both ends of the sending window, or neither."),
            )
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_campaign_change", args=[self.pk])

    @property
    def is_editable(self) -> bool:
        return self.status in EDITABLE

    @property
    def is_running(self) -> bool:
        return self.status in RUNNING

    @property
    def has_ended(self) -> bool:
        return self.status in ENDED
