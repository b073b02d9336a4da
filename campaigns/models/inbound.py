"""What people wrote to us, the conversations it belongs to, and what is answered by itself."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import masking

from .campaigns import Campaign
from .contacts import Contact, ContactGroup
from .messages import SentMessage


class Meaning(models.TextChoices):
    """What an incoming message was understood as."""

    NONE = "", _("a message")
    STOP = "stop", _("opt-out")
    START = "start", _("opt-in")
    HELP = "help", _("asks for help")
    KEYWORD = "keyword", _("keyword")
    DOUBTFUL = "doubtful", _("perhaps an opt-out")
    AUTOMATIC = "automatic", _("sent by a machine")


class Conversation(models.Model):
    """
    All that is written to and from one number, with who takes care of it.

    `needs_answer` is set by what a person wrote and no keyword settled, and cleared by an answer or an operator.
    `held_since` is set by what may be an opt-out: until somebody has looked at it, the number gets no marketing.
    """

    phone_number = models.CharField(_("from"), max_length=32)
    canonical_number = models.CharField(max_length=32, unique=True, editable=False)
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="conversations", verbose_name=_("contact")
    )
    #: Where the last message came in, and so where an answer goes out.
    gateway = models.CharField(_("gateway"), max_length=50)
    last_text = models.CharField(_("last message"), max_length=200, blank=True)
    last_at = models.DateTimeField(_("received"))
    unread_count = models.PositiveIntegerField(_("unread"), default=0)
    needs_answer = models.BooleanField(_("to be answered"), default=False)
    assigned_to = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="conversations",
        verbose_name=_("taken by"),
    )
    answered_at = models.DateTimeField(_("answered"), null=True, blank=True)
    answered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("answered by"),
    )
    held_since = models.DateTimeField(_("to be reviewed since"), null=True, blank=True)

    class Meta:
        verbose_name = _("conversation")
        verbose_name_plural = _("conversations")
        ordering = ["-last_at", "-id"]
        default_permissions = ("view",)
        permissions = [
            ("answer_conversation", _("Can answer incoming messages")),
            ("review_conversation", _("Can decide whether an answer is an opt-out")),
        ]
        indexes = [
            models.Index(fields=["-last_at", "-id"], name="conversation_last"),
            models.Index(fields=["-last_at", "-id"], name="conversation_open", condition=models.Q(needs_answer=True)),
            models.Index(
                fields=["-last_at", "-id"], name="conversation_unread", condition=models.Q(unread_count__gt=0)
            ),
            models.Index(
                fields=["-last_at", "-id"], name="conversation_held", condition=models.Q(held_since__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return masking.number(self.phone_number)

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_conversation_change", args=[self.pk])


class InboundMessage(models.Model):
    """
    A message from a phone, stored as it came. `fingerprint` makes a repeated delivery one row.

    `process_at` is when it is to be worked off (next); None when that is done. `answers` is the message it most likely
    answers. `handled_as` is what the provider says it has done about it already (stop, start, help).
    """

    gateway = models.CharField(_("gateway"), max_length=50)
    phone_number = models.CharField(_("from"), max_length=32, db_index=True)
    to = models.CharField(_("to"), max_length=32, blank=True)
    text = models.TextField(_("text"))
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="inbound_messages", verbose_name=_("contact")
    )
    provider_message_id = models.CharField(_("provider's message id"), max_length=100, blank=True)
    in_reply_to = models.CharField(_("in reply to"), max_length=100, blank=True, db_default="")
    handled_as = models.CharField(_("done by the provider"), max_length=10, blank=True, db_default="")
    raw = models.JSONField(_("as it came"), default=dict, blank=True)
    fingerprint = models.CharField(max_length=64, unique=True)
    received_at = models.DateTimeField(_("received"))

    conversation = models.ForeignKey(
        Conversation, models.SET_NULL, null=True, blank=True, related_name="messages", verbose_name=_("conversation")
    )
    campaign = models.ForeignKey(
        Campaign, models.SET_NULL, null=True, blank=True, related_name="replies", verbose_name=_("campaign")
    )
    answers = models.ForeignKey(
        SentMessage, models.SET_NULL, null=True, blank=True, related_name="replies", verbose_name=_("answers")
    )
    meaning = models.CharField(
        _("understood as"), max_length=10, choices=Meaning, blank=True, default=Meaning.NONE, db_default=""
    )
    process_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)

    class Meta:
        verbose_name = _("incoming message")
        verbose_name_plural = _("incoming messages")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["process_at"], name="inbound_due", condition=models.Q(process_at__isnull=False)),
            models.Index(fields=["campaign", "meaning"], name="inbound_answers"),
        ]

    def __str__(self) -> str:
        return f"{masking.number(self.phone_number)} {self.received_at:%Y-%m-%d %H:%M}"


class ReplyKeyword(models.Model):
    """A word of the installation's own: whoever writes it gets an answer, joins groups, is passed on."""

    word = models.CharField(
        _("word"), max_length=50, help_text=_("One word or a few, in any case: SALE, or more info.")
    )
    #: As `campaigns.keywords` compares it.
    normalised = models.CharField(max_length=50, unique=True, editable=False)
    reply = models.TextField(_("answer"), blank=True, help_text=_("Sent back by itself. Empty: no answer."))
    groups = models.ManyToManyField(
        ContactGroup,
        verbose_name=_("add to groups"),
        blank=True,
        related_name="keywords",
        help_text=_("Whoever writes the word becomes a contact in these groups. That is no consent to advertising."),
    )
    forward_to_phone = models.CharField(
        _("pass on to the phone"), max_length=16, blank=True, help_text=_("As an SMS, with the sender's number.")
    )
    forward_to_email = models.EmailField(_("pass on to the e-mail address"), blank=True)
    is_active = models.BooleanField(_("in use"), default=True)

    class Meta:
        verbose_name = _("keyword")
        verbose_name_plural = _("keywords")
        ordering = ["normalised"]

    def __str__(self) -> str:
        return self.word


class AutomaticReply(models.Model):
    """The answer to STOP, START or HELP in one language, in place of the one that comes with the product."""

    meaning = models.CharField(
        _("answer to"),
        max_length=10,
        choices=[(m.value, m.label) for m in (Meaning.STOP, Meaning.START, Meaning.HELP)],
    )
    language = models.CharField(_("language"), max_length=2)
    text = models.TextField(_("text"), blank=True, help_text=_("Empty: nothing is answered in this language."))

    class Meta:
        verbose_name = _("automatic answer")
        verbose_name_plural = _("automatic answers")
        ordering = ["meaning", "language"]
        constraints = [models.UniqueConstraint(fields=["meaning", "language"], name="automatic_reply_once")]

    def __str__(self) -> str:
        return f"{self.get_meaning_display()} ({self.language})"


class Forward(models.Model):
    """An incoming message that is to be passed on by e-mail; deleted when it was."""

    message = models.ForeignKey(InboundMessage, models.CASCADE, related_name="forwards")
    to = models.EmailField()
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["message", "to"], name="forward_once")]

    def __str__(self) -> str:
        return f"{self.message_id} -> {masking.number(self.to)}"
