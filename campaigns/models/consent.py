"""What people agreed to and refused, as it happened; and what is left of those who were erased."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campaigns import masking

from .contacts import ConsentKind, Contact


class ConsentAct(models.TextChoices):
    """What somebody did, or an operator for them."""

    GIVEN = "given", _("consent given")
    WITHDRAWN = "withdrawn", _("consent withdrawn")
    FORGOTTEN = "unknown", _("consent set to unknown")
    OPTED_OUT = "opted_out", _("opted out")
    OPTED_IN = "opted_in", _("opted in again")


class ConsentChange(models.Model):
    """
    An act that changed what may be sent to a number: the history, never changed and never deleted.

    `source` says where it came from, `evidence` is its proof or reason in words, `happened_at` when the person did it
    (as far as it is known), `recorded_at` when it was written down.
    """

    canonical_number = models.CharField(max_length=16, editable=False)
    phone_number = models.CharField(_("phone number"), max_length=16)
    contact = models.ForeignKey(
        Contact, models.SET_NULL, null=True, blank=True, related_name="consent_changes", verbose_name=_("contact")
    )
    act = models.CharField(_("what"), max_length=10, choices=ConsentAct)
    kind = models.CharField(_("consent to"), max_length=10, choices=ConsentKind, blank=True)
    source = models.CharField(_("source"), max_length=150, blank=True)
    evidence = models.TextField(_("proof or reason"), blank=True)
    happened_at = models.DateTimeField(_("when"))
    recorded_at = models.DateTimeField(_("recorded"), default=timezone.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("who")
    )

    class Meta:
        verbose_name = _("change of consent")
        verbose_name_plural = _("changes of consent")
        ordering = ["id"]
        indexes = [models.Index(fields=["canonical_number", "id"], name="consent_change_number")]

    def __str__(self) -> str:
        return f"{masking.number(self.phone_number)}: {self.get_act_display()}"


class ErasureSalt(models.Model):
    """One row, made with the first erasure: what pseudonyms are mixed with. Losing it loses the erased opt-outs."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    salt = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return "salt"


class Erasure(models.Model):
    """
    A person's wish to be forgotten. `phone_number` is the number until it is done, a pseudonym from then on.

    It is finished at once, or by the sweeper as soon as no message to the person is on its way.
    """

    phone_number = models.CharField(_("phone number"), max_length=16)
    canonical_number = models.CharField(max_length=16, editable=False)
    reason = models.TextField(_("reason"), help_text=_("Who asked for it and how. Do not name the person."))
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        editable=False,
        related_name="+",
        verbose_name=_("recorded by"),
    )
    requested_at = models.DateTimeField(_("asked for"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    #: What was erased, by kind; names of import files that may still hold the person.
    outcome = models.JSONField(_("what was erased"), default=dict, blank=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-id"]
        default_permissions = ("add", "view")
        permissions = [("export_person", _("Can export everything about a person"))]
        indexes = [models.Index(fields=["id"], name="erasure_unfinished", condition=models.Q(finished_at__isnull=True))]

    def __str__(self) -> str:
        return masking.number(self.phone_number)
