"""Who can be written to, in which groups they are, and who must not be written to."""

from __future__ import annotations

from typing import Any, Self

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _
from phonenumber_field.modelfields import PhoneNumberField

from campaigns import masking
from sms_backends.phone_numbers import InvalidPhoneNumber, canonical, parse


class ContactGroup(models.Model):
    """
    A named list of contacts; a contact may be in several and still counts once.

    A group with `conditions` is a smart group (see `campaigns.smart_groups`): whoever meets them is in it.
    """

    name = models.CharField(_("name"), max_length=150, unique=True)
    description = models.TextField(_("description"), blank=True)
    conditions = models.JSONField(_("conditions"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    #: Kept, because something was sent to it, but offered to nobody.
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_smart(self) -> bool:
        return self.conditions is not None


class Consent(models.TextChoices):
    """Whether a person has agreed to be written to."""

    UNKNOWN = "unknown", _("unknown")
    GIVEN = "given", _("given")
    WITHDRAWN = "withdrawn", _("withdrawn")


class ConsentKind(models.TextChoices):
    """What a consent covers: advertising and everything below it, or only what belongs to a service."""

    MARKETING = "marketing", _("advertising")
    SERVICE = "service", _("service messages only")


class ContactQuerySet(models.QuerySet["Contact"]):
    """
    Whoever chooses people asks for `in_use()`.

    That is not the default: whoever has a number, and asks whose it is, has to find those in the archive as well.
    """

    def in_use(self) -> Self:
        """Without those in the archive."""
        return self.filter(archived_at__isnull=True)

    def archived(self) -> Self:
        """Those in the archive alone."""
        return self.filter(archived_at__isnull=False)


class Contact(models.Model):
    """
    A person with a phone number. The number in E.164 is who a contact is.

    `attributes` holds whatever else the contact file had, by the file's header, and feeds `{{ placeholders }}`.
    Somebody in the archive stays in their groups, and is in no list and no audience (see `campaigns.archiving`).
    """

    phone_number = PhoneNumberField(_("phone number"), unique=True)
    first_name = models.CharField(_("first name"), max_length=150, blank=True)
    last_name = models.CharField(_("last name"), max_length=150, blank=True)
    email = models.EmailField(_("e-mail"), blank=True)
    language = models.CharField(_("language"), max_length=10, blank=True, help_text=_("For example ru or en."))
    region = models.CharField(
        _("country"), max_length=2, blank=True, help_text=_("Two letters, from the number: RU, DE, ...")
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        help_text=_("From the number or the file, for example Europe/Moscow."),
    )
    attributes = models.JSONField(
        _("other fields"),
        default=dict,
        blank=True,
        help_text=_("Whatever else is known, by name: each can be used as a placeholder in a campaign's text."),
    )
    groups = models.ManyToManyField(ContactGroup, verbose_name=_("groups"), related_name="contacts", blank=True)
    consent = models.CharField(_("consent"), max_length=10, choices=Consent, default=Consent.UNKNOWN)
    consent_kind = models.CharField(
        _("consent to"), max_length=10, choices=ConsentKind, default=ConsentKind.MARKETING, db_default="marketing"
    )
    consented_at = models.DateTimeField(_("consent given at"), null=True, blank=True)
    consent_source = models.CharField(_("source of the consent"), max_length=150, blank=True)
    consent_evidence = models.TextField(_("proof of the consent"), blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    #: Kept, because something was sent to them or came from them, but in no list and no audience.
    archived_at = models.DateTimeField(_("archived"), null=True, blank=True, editable=False)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        ordering = ["-id"]
        indexes = [
            # The list, newest first, however many of the newest are in the archive.
            models.Index(fields=["id"], name="contact_in_use", condition=models.Q(archived_at__isnull=True)),
            models.Index(fields=["id"], name="contact_archived", condition=models.Q(archived_at__isnull=False)),
        ]
        permissions = [
            ("import_contact", _("Can import contacts")),
            ("export_contact", _("Can export contacts")),
            ("merge_contact", _("Can merge two contacts")),
            ("bulk_contact", _("Can change many contacts at once")),
            ("change_consent", _("Can change what people have agreed to")),
        ]

    def __str__(self) -> str:
        return f"{self.full_name} {masking.number(self.phone_number)}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.fill_from_number()
        super().save(*args, **kwargs)

    def fill_from_number(self) -> None:
        """Country and time zone follow from the number where nothing else is known."""
        if self.region and self.time_zone:
            return
        try:
            number = parse(str(getattr(self.phone_number, "as_e164", self.phone_number)), None)
        except InvalidPhoneNumber:
            return
        self.region = self.region or number.region
        self.time_zone = self.time_zone or number.time_zone

    @property
    def full_name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class OptOutSource(models.TextChoices):
    """Where an opt-out came from."""

    OPERATOR = "operator", _("an operator")
    KEYWORD = "keyword", _("a reply")
    PROVIDER = "provider", _("the provider")
    IMPORT = "import", _("an import")
    LINK = "link", _("a link")
    #: Nobody said anything: there is nobody at this number.
    DEAD_NUMBER = "dead", _("the number is not in use")


class OptOut(models.Model):
    """
    A number that must not be written to. Kept by number, so that it outlives the contact and every import.

    `canonical_number` is what is compared: some countries have two valid histories of one number. Of a person who was
    erased both numbers are a pseudonym (`campaigns/pseudonyms.py`).
    """

    phone_number = models.CharField(_("phone number"), max_length=16)
    canonical_number = models.CharField(max_length=16, unique=True, editable=False)
    opted_out_at = models.DateTimeField(_("opted out at"), auto_now_add=True)
    source = models.CharField(_("source"), max_length=10, choices=OptOutSource, default=OptOutSource.OPERATOR)
    note = models.TextField(_("note"), blank=True, help_text=_("What the person wrote, or why the operator did it."))
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, editable=False, verbose_name=_("recorded by")
    )

    class Meta:
        verbose_name = _("opt-out")
        verbose_name_plural = _("opt-outs")
        ordering = ["-opted_out_at"]
        indexes = [models.Index(fields=["-opted_out_at"], name="opt_out_time")]

    def __str__(self) -> str:
        return masking.number(self.phone_number)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.canonical_number = canonical(self.phone_number)
        super().save(*args, **kwargs)
