"""A campaign: one text for the people in some groups, sent once."""

from __future__ import annotations

from datetime import time

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .contacts import ContactGroup


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

    status = models.CharField(
        _("status"), max_length=10, choices=CampaignStatus, default=CampaignStatus.DRAFT, editable=False
    )
    pause_reason = models.TextField(_("why it is paused"), blank=True, editable=False)
    paused_by_engine = models.BooleanField(default=False, editable=False)
    launch = models.JSONField(default=dict, blank=True, editable=False)
    launch_token = models.CharField(max_length=32, blank=True, editable=False)
    freeze_cursor = models.BigIntegerField(default=0, editable=False)
    audience = models.PositiveIntegerField(_("audience"), default=0, editable=False)
    time_zones = models.JSONField(default=list, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    launched_at = models.DateTimeField(_("launched"), null=True, editable=False)
    frozen_at = models.DateTimeField(_("prepared"), null=True, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True, editable=False)
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
            ("send_quick", _("Can send single messages")),
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
