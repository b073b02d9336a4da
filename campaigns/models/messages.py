"""The delivery log: one row per person and campaign, what became of it, and every attempt and event on the way."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import masking
from sms_backends.phone_numbers import canonical

from .campaigns import Campaign
from .contacts import Contact


class MessageStatus(models.TextChoices):
    """Where a message stands; the allowed steps are `TRANSITIONS`."""

    QUEUED = "queued", _("queued")
    CLAIMED = "claimed", _("about to be sent")
    SENDING = "sending", _("being handed over")
    SENT = "sent", _("sent")
    DELIVERED = "delivered", _("delivered")
    UNDELIVERED = "undelivered", _("undelivered")
    EXPIRED = "expired", _("expired")
    REJECTED = "rejected", _("rejected")
    FAILED = "failed", _("failed")
    SUPPRESSED = "suppressed", _("not sent on purpose")
    CANCELLED = "cancelled", _("cancelled")
    UNKNOWN = "unknown", _("unknown")


S = MessageStatus
#: Nothing more will happen to these by themselves, but for a late receipt.
TERMINAL = frozenset({S.DELIVERED, S.UNDELIVERED, S.EXPIRED, S.REJECTED, S.FAILED, S.SUPPRESSED, S.CANCELLED})
#: Not yet offered to anybody.
CANCELLABLE = frozenset({S.QUEUED, S.CLAIMED})
#: Still to be worked on; a campaign with any of these is not completed.
PENDING = frozenset({S.QUEUED, S.CLAIMED, S.SENDING})
#: The provider took it.
TAKEN = frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.EXPIRED})
#: What normally comes with a reason.
WITH_REASON = frozenset({S.UNDELIVERED, S.EXPIRED, S.REJECTED, S.FAILED, S.UNKNOWN, S.SUPPRESSED})
#: Has cost money, or may have.
BILLABLE = TAKEN | {S.UNKNOWN}
#: What counts towards a spend limit: that, and what is on its way to the provider.
RESERVED = BILLABLE | {S.CLAIMED, S.SENDING}

#: What a provider's word can make of a message.
REPORTED = frozenset({S.SENT, S.DELIVERED, S.UNDELIVERED, S.EXPIRED, S.REJECTED})

#: from -> to: every change of a message's state is one of these. A receipt never leads back to the queue.
TRANSITIONS: dict[MessageStatus, frozenset[MessageStatus]] = {
    S.QUEUED: frozenset({S.CLAIMED, S.SENDING, S.SUPPRESSED, S.FAILED, S.CANCELLED}) | REPORTED,
    S.CLAIMED: frozenset({S.QUEUED, S.SENDING, S.SUPPRESSED, S.FAILED, S.CANCELLED}) | REPORTED,
    S.SENDING: frozenset({S.QUEUED, S.FAILED, S.CANCELLED, S.UNKNOWN}) | REPORTED,
    # Straight to `sending`, never through the queue, where it would get another reference: offered again as it was.
    S.UNKNOWN: frozenset({S.QUEUED, S.FAILED, S.CANCELLED, S.SENDING}) | REPORTED,
    S.SENT: frozenset({S.DELIVERED, S.UNDELIVERED, S.EXPIRED, S.REJECTED}),
    S.UNDELIVERED: frozenset({S.DELIVERED}),
    S.EXPIRED: frozenset({S.DELIVERED}),
    S.REJECTED: frozenset({S.DELIVERED}),
    S.DELIVERED: frozenset(),
    S.FAILED: REPORTED,
    # Suppressed at a second hand-over, after an operator's resend: the first may have been taken after all.
    S.SUPPRESSED: REPORTED,
    S.CANCELLED: REPORTED,
}


def may_become(target: MessageStatus) -> frozenset[MessageStatus]:
    """The states from which a message may become `target`."""
    return frozenset(source for source, targets in TRANSITIONS.items() if target in targets)


class SuppressionReason(models.TextChoices):
    """Why we chose not to send."""

    OPTED_OUT = "opted_out", _("opted out")
    NO_CONSENT = "no_consent", _("no consent")
    UNDER_REVIEW = "under_review", _("an answer of theirs waits for review")
    DUPLICATE = "duplicate", _("the same number twice")
    INVALID_NUMBER = "invalid_number", _("not a valid number")
    MISSING_VALUE = "missing_value", _("no value for a placeholder")
    EMPTY_TEXT = "empty_text", _("the text is empty")
    NOT_ALLOWED = "not_allowed", _("not in the installation's list of numbers")
    COUNTRY_NOT_ENABLED = "country_not_enabled", _("country not allowed")
    REACHED_MEANWHILE = "reached_meanwhile", _("reached meanwhile by the first message")


class FailureReason(models.TextChoices):
    """Why a message that we meant to send was not: the provider's words (sms_backends.Reason) and our own."""

    INVALID_NUMBER = "invalid_number", _("not a valid number")
    UNREACHABLE_TEMPORARY = "unreachable_temporary", _("phone not reachable")
    NO_SERVICE = "no_service", _("phone cannot receive SMS")
    UNKNOWN_SUBSCRIBER = "unknown_subscriber", _("number not in use")
    BARRED = "barred", _("subscriber barred")
    OPTED_OUT = "opted_out", _("opted out")
    BLOCKED = "blocked", _("number blocked")
    SPAM_FILTERED = "spam_filtered", _("taken for spam")
    DUPLICATE = "duplicate", _("duplicate")
    NO_ROUTE = "no_route", _("no route to this number")
    COUNTRY_NOT_ENABLED = "country_not_enabled", _("country not allowed")
    NOT_ALLOWED = "not_allowed", _("number not allowed here")
    PER_NUMBER_LIMIT = "per_number_limit", _("limit for this number reached")
    CONTENT = "content", _("text forbidden by the provider")
    SENDER = "sender", _("sender not allowed")
    EXPIRED = "expired", _("not delivered in time")
    REJECTED_BY_CARRIER = "rejected_by_carrier", _("rejected by the operator network")
    NO_FUNDS = "no_funds", _("no money on the account")
    AUTHENTICATION = "authentication", _("wrong login or password")
    ACCOUNT_BLOCKED = "account_blocked", _("account blocked")
    THROTTLED = "throttled", _("too many requests")
    UNAVAILABLE = "unavailable", _("provider not reachable")
    BAD_REQUEST = "bad_request", _("request refused")
    INTERNAL = "internal", _("error at the provider")
    UNKNOWN = "unknown", _("no reason given")
    TOO_LATE = "too_late", _("not sent in time")
    RETRIES_USED = "retries_used", _("all tries used")
    WORKER_LOST = "worker_lost", _("the worker stopped while handing it over")
    SUPERSEDED = "superseded", _("sent again in another campaign")


class Purpose(models.TextChoices):
    """Why a message exists. All but campaign messages are urgent: they are claimed first."""

    CAMPAIGN = "campaign", _("campaign")
    QUICK = "quick", _("single message")
    TEST = "test", _("test of a campaign")
    REPLY = "reply", _("reply")
    AUTOMATIC = "automatic", _("automatic answer")
    #: The one text that somebody who has opted out still gets.
    CONFIRMATION = "confirm", _("confirmation of an opt-out")


class SentMessage(models.Model):
    """
    One message to one number: a row of the delivery log, written before anything is sent and never deleted.

    `reference` is ours and names the latest attempt; `provider_message_id` is theirs and may be shared by a whole
    request. `claim_token` and `lease_expires_at` say which worker holds the row and until when.
    """

    campaign = models.ForeignKey(
        Campaign,
        models.PROTECT,
        null=True,
        blank=True,
        related_name="messages",
        verbose_name=_("campaign"),
        db_index=False,
    )
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="messages", verbose_name=_("contact")
    )
    purpose = models.CharField(_("purpose"), max_length=10, choices=Purpose, default=Purpose.CAMPAIGN)
    phone_number = models.CharField(_("phone number"), max_length=16)
    canonical_number = models.CharField(max_length=16, editable=False)
    body = models.TextField(_("text as sent"))
    encoding = models.CharField(_("encoding"), max_length=6, blank=True)
    segment_count = models.PositiveSmallIntegerField(_("segments"), default=0)
    region = models.CharField(_("country"), max_length=2, blank=True)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True)

    status = models.CharField(_("status"), max_length=11, choices=MessageStatus, default=MessageStatus.QUEUED)
    reason = models.CharField(_("reason"), max_length=40, blank=True)
    reason_text = models.TextField(_("in words"), blank=True)
    #: Left out when the campaign was prepared: such a row does not stand in the way of another with its number.
    excluded = models.BooleanField(default=False)

    gateway = models.CharField(_("gateway"), max_length=50, default="default")
    sender_id = models.CharField(_("sender"), max_length=15, blank=True)
    reference = models.CharField(_("reference"), max_length=64, blank=True)
    provider_message_id = models.CharField(_("provider's message id"), max_length=100, blank=True)
    provider_response = models.JSONField(_("provider's answer"), null=True, blank=True)
    cost = models.DecimalField(_("cost"), max_digits=12, decimal_places=5, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=5, blank=True)
    #: What it is expected to cost, all segments together, in the currency of the gateway's prices; None: no price.
    price = models.DecimalField(_("expected price"), max_digits=12, decimal_places=5, null=True, blank=True)
    #: When it was last claimed, by the calendar of the installation; None for what never was.
    day = models.DateField(_("day"), null=True, blank=True)
    attempt_count = models.PositiveSmallIntegerField(_("attempts"), default=0)
    #: Attempts refused for this message's own sake; what concerned the whole gateway does not count.
    retry_count = models.PositiveSmallIntegerField(default=0)
    sent_twice = models.BooleanField(_("sent twice"), default=False)

    claim_token = models.CharField(max_length=32, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    not_before = models.DateTimeField(_("not before"), null=True, blank=True)
    next_poll_at = models.DateTimeField(null=True, blank=True)
    poll_count = models.PositiveSmallIntegerField(default=0)
    receipt_overdue = models.BooleanField(
        _("receipt overdue"), default=False, help_text=_("The provider took it but never said what became of it.")
    )
    #: An unknown outcome is asked about until the provider knows it, or twice says it does not.
    next_lookup_at = models.DateTimeField(null=True, blank=True)
    lookup_count = models.PositiveSmallIntegerField(default=0)
    not_found_at = models.DateTimeField(null=True, blank=True)
    #: The message in a child campaign that was written to be sent in place of this one.
    superseded_by = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, editable=False, related_name="supersedes"
    )

    nonce = models.CharField(max_length=40, null=True, blank=True, unique=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("asked for by"),
    )
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)
    status_at = models.DateTimeField(_("last change"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("delivery log")
        ordering = ["-id"]
        permissions = [
            ("export_sentmessage", _("Can export the delivery log")),
            ("view_full_numbers", _("Can see whole phone numbers")),
            ("view_message_text", _("Can see the texts of messages and answers")),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["campaign", "contact"],
                condition=models.Q(campaign__isnull=False, contact__isnull=False),
                name="message_once_per_contact",
            ),
            models.UniqueConstraint(
                fields=["campaign", "canonical_number"],
                condition=models.Q(campaign__isnull=False, excluded=False),
                name="message_once_per_number",
            ),
        ]
        indexes = [
            models.Index(fields=["campaign", "status", "-id"], name="message_campaign_status"),
            # The delivery log, newest first, by any one filter and by a campaign with any one (`campaigns.log.plans`).
            # What few rows have is indexed for those alone: every other index is written with each step of a message.
            models.Index(fields=["campaign", "gateway", "status", "created_at", "id"], name="message_log_campaign"),
            models.Index(fields=["status", "gateway", "created_at", "id"], name="message_log"),
            models.Index(
                fields=["campaign", "reason", "status", "created_at", "id"],
                name="message_log_campaign_reason",
                condition=models.Q(reason__gt=""),
            ),
            models.Index(
                fields=["reason", "status", "created_at", "id"],
                name="message_log_reason",
                condition=models.Q(reason__gt=""),
            ),
            # Hardly any that went wrong are without a reason, and nearly all others are.
            models.Index(
                fields=["campaign", "status", "gateway", "created_at", "id", "reason"],
                name="message_log_campaign_no_reason",
                condition=models.Q(reason="", status__in=sorted(WITH_REASON)),
            ),
            models.Index(
                fields=["status", "gateway", "created_at", "id", "reason"],
                name="message_log_no_reason",
                condition=models.Q(reason="", status__in=sorted(WITH_REASON)),
            ),
            models.Index(fields=["phone_number", "-id"], name="message_number"),
            models.Index(fields=["gateway", "provider_message_id", "phone_number"], name="message_provider_id"),
            models.Index(
                fields=["campaign", "id"], name="message_queued", condition=models.Q(status=MessageStatus.QUEUED)
            ),
            models.Index(
                fields=["lease_expires_at"],
                name="message_lease",
                condition=models.Q(status__in=[MessageStatus.CLAIMED, MessageStatus.SENDING]),
            ),
            models.Index(
                fields=["next_lookup_at"], name="message_lookup", condition=models.Q(next_lookup_at__isnull=False)
            ),
            models.Index(fields=["next_poll_at"], name="message_poll", condition=models.Q(next_poll_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{masking.number(self.phone_number)} ({self.get_status_display()})"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self.canonical_number:
            self.canonical_number = canonical(self.phone_number)
        super().save(*args, **kwargs)

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_sentmessage_change", args=[self.pk])

    @property
    def reason_display(self) -> str:
        """The reason in the operator's language, the provider's own words after it."""
        labels = {**dict(SuppressionReason.choices), **dict(FailureReason.choices)}
        label = str(labels.get(self.reason, self.reason))
        return f"{label}: {self.reason_text}" if label and self.reason_text else label or self.reason_text


class Attempt(models.Model):
    """
    One hand-over of a message to a provider: written before the request, completed after it.

    `account` fingerprints the account that was asked; an `outcome` of "" means that no answer was recorded.
    """

    message = models.ForeignKey(SentMessage, models.CASCADE, related_name="attempts", verbose_name=_("message"))
    number = models.PositiveSmallIntegerField(_("attempt"))
    reference = models.CharField(_("reference"), max_length=64, db_index=True)
    claim_token = models.CharField(max_length=32)
    gateway = models.CharField(_("gateway"), max_length=50)
    account = models.CharField(_("account"), max_length=64, blank=True)
    provider_message_id = models.CharField(_("provider's message id"), max_length=100, blank=True)
    outcome = models.CharField(_("outcome"), max_length=10, blank=True)
    error_code = models.CharField(_("error code"), max_length=50, blank=True)
    error_text = models.TextField(_("error"), blank=True)
    raw = models.JSONField(_("provider's answer"), null=True, blank=True)
    started_at = models.DateTimeField(_("started"))
    finished_at = models.DateTimeField(_("answered"), null=True, blank=True)

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ["message", "number"]
        constraints = [models.UniqueConstraint(fields=["message", "number"], name="attempt_number")]
        indexes = [
            models.Index(fields=["gateway", "provider_message_id"], name="attempt_provider_id"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} #{self.number}"


class EventKind(models.TextChoices):
    """What happened to a message."""

    RECEIPT = "receipt", _("delivery receipt")
    UNKNOWN = "unknown", _("outcome unknown")
    RESEND = "resend", _("sent again by an operator")
    LEFT = "left", _("left as it is by an operator")
    LATE_RESULT = "late_result", _("late answer")
    LOOKUP = "lookup", _("asked the provider")
    SENT_TWICE = "sent_twice", _("sent twice")


class MessageEvent(models.Model):
    """Something that happened to a message after it was queued. Receipts are kept even when they change nothing."""

    message = models.ForeignKey(SentMessage, models.CASCADE, related_name="events", verbose_name=_("message"))
    at = models.DateTimeField(_("at"), default=timezone.now)
    kind = models.CharField(_("kind"), max_length=20, choices=EventKind)
    payload = models.JSONField(_("details"), default=dict, blank=True)
    #: Makes a repeated receipt one event.
    fingerprint = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["message", "fingerprint"], condition=~models.Q(fingerprint=""), name="event_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.at:%Y-%m-%d %H:%M:%S}"


class UnmatchedReceipt(models.Model):
    """A delivery receipt that fits no message yet: it may be early. Kept and tried again by the sweeper."""

    gateway = models.CharField(_("gateway"), max_length=50)
    provider_message_id = models.CharField(_("provider's message id"), max_length=100)
    phone_number = models.CharField(_("phone number"), max_length=32)
    payload = models.JSONField(_("receipt"))
    received_at = models.DateTimeField(_("received"), default=timezone.now)
    next_try_at = models.DateTimeField(_("next try"), null=True, blank=True, db_index=True)
    try_count = models.PositiveSmallIntegerField(_("tries"), default=0)

    class Meta:
        verbose_name = _("unmatched receipt")
        verbose_name_plural = _("unmatched receipts")
        ordering = ["-id"]
        # After every request it is asked whether a receipt of it came early.
        indexes = [models.Index(fields=["gateway", "provider_message_id"], name="unmatched_provider_id")]

    def __str__(self) -> str:
        return f"{self.provider_message_id} ({self.gateway})"
