"""A contact file on its way into the contacts: checked rows first, contacts after the operator has seen them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .contacts import ContactGroup


class ImportStatus(models.TextChoices):
    """Where an import stands."""

    UPLOADED = "uploaded", _("waiting for you to say how it is read")
    CHECKING = "checking", _("being checked")
    CHECKED = "checked", _("waiting for you to confirm")
    IMPORTING = "importing", _("being imported")
    DONE = "done", _("imported")
    REFUSED = "refused", _("cannot be read")
    CANCELLED = "cancelled", _("cancelled")
    UNDOING = "undoing", _("being undone")
    UNDONE = "undone", _("undone")


class UpdateExisting(models.TextChoices):
    """What a file may change in people who are contacts already. An empty cell never erases anything."""

    ALL = "all", _("Take the new values")
    EMPTY = "empty", _("Only fill in what is empty")
    NEVER = "never", _("Leave them as they are")


class OptedOutRows(models.TextChoices):
    """
    What is done with the rows of people who opted out. Whichever it is, they stay opted out and are in no sending.

    Kept as contacts they appear in the log of a campaign, which says why they got nothing.
    """

    KEEP = "keep", _("Keep them as contacts, so that the log says why they get nothing")
    LEAVE_OUT = "leave_out", _("Leave their rows out of the import")


class RowKind(models.TextChoices):
    """What a row of the file means for the contacts."""

    NEW = "new", _("new")
    CHANGED = "changed", _("changed")
    UNCHANGED = "unchanged", _("unchanged")
    DUPLICATE = "duplicate", _("duplicate")
    BAD = "bad", _("bad")
    LEFT_OUT = "left_out", _("left out")


class ImportSource(models.Model):
    """
    How files with these columns were read the last time, so that the next one need not be explained again.

    `signature` is made of the header row; `reading` is what `ContactImport.reading` was.
    """

    signature = models.CharField(max_length=64, unique=True)
    file_name = models.CharField(_("the last such file"), max_length=255)
    reading = models.JSONField(default=dict)
    region = models.CharField(_("country"), max_length=2, blank=True)
    used_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("remembered reading")
        verbose_name_plural = _("remembered readings")
        default_permissions = ()

    def __str__(self) -> str:
        return self.file_name


class ContactImport(models.Model):
    """
    One contact file. The counts add up to the rows that are not blank.

    `cursor` is the number of the last row that was worked off, so that an interrupted job goes on from there.
    `reading` is how the operator said the file is to be read (see `importing.reading.Reading`); what is missing in it
    is found out. `file` is empty once it was deleted (see `campaigns.kept_files`). `undo` holds the figures of undoing
    it and the id of the group that was made for it.
    """

    file = models.FileField(_("file"), upload_to="imports/%Y/%m/")
    #: Only for a file that goes before its time: somebody who is in it was erased.
    keep_file_until = models.DateTimeField(null=True, blank=True, editable=False)
    file_name = models.CharField(_("file name"), max_length=255)
    region = models.CharField(_("country of national numbers"), max_length=2, blank=True)
    groups = models.ManyToManyField(ContactGroup, verbose_name=_("add to groups"), blank=True, related_name="imports")
    new_group = models.CharField(
        _("and to a new group"),
        max_length=150,
        blank=True,
        help_text=_("Its name. It is made when you confirm the import."),
    )
    update_existing = models.CharField(
        _("people who are contacts already"), max_length=10, choices=UpdateExisting, default=UpdateExisting.ALL
    )
    opted_out_rows = models.CharField(
        _("people who opted out"), max_length=10, choices=OptedOutRows, default=OptedOutRows.KEEP
    )
    consent_source = models.CharField(
        _("source of the consent"),
        max_length=150,
        blank=True,
        help_text=_("Where these people agreed to get messages, such as “order form”. Empty: no consent is recorded."),
    )
    consent_evidence = models.TextField(
        _("proof of the consent"),
        blank=True,
        help_text=_("What you would show if asked: the wording they agreed to, a document's number, a link."),
    )
    consented_at = models.DateTimeField(
        _("consent given at"), null=True, blank=True, help_text=_("Empty: the moment of the upload.")
    )
    #: Reasons and remarks are written in it: the check may run where nobody's language is active.
    language = models.CharField(max_length=10, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=ImportStatus, default=ImportStatus.CHECKING)
    problem = models.TextField(_("problem"), blank=True)
    encoding = models.CharField(_("encoding"), max_length=30, blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=3, blank=True)
    reading = models.JSONField(default=dict, blank=True)
    columns = models.JSONField(_("columns"), default=dict, blank=True)
    new_count = models.PositiveIntegerField(_("new"), default=0)
    changed_count = models.PositiveIntegerField(_("changed"), default=0)
    unchanged_count = models.PositiveIntegerField(_("unchanged"), default=0)
    duplicate_count = models.PositiveIntegerField(_("duplicate"), default=0)
    bad_count = models.PositiveIntegerField(_("bad"), default=0)
    left_out_count = models.PositiveIntegerField(_("left out"), default=0)
    opted_out_count = models.PositiveIntegerField(_("opted out"), default=0)
    remark_count = models.PositiveIntegerField(_("with remarks"), default=0)
    undo = models.JSONField(default=dict, blank=True)
    cursor = models.PositiveIntegerField(default=0)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        verbose_name=_("imported by"),
    )
    created_at = models.DateTimeField(_("uploaded"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name

    def open_file(self) -> Any:
        """The uploaded file, opened. Raises FileNotFoundError once it was deleted."""
        if not self.file:
            raise FileNotFoundError(self.file_name)
        return self.file.open("rb")

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_contactimport_change", args=[self.pk])

    @property
    def row_count(self) -> int:
        """Rows that are not blank."""
        return sum(getattr(self, f"{kind}_count") for kind in RowKind.values)


class ContactImportRow(models.Model):
    """
    A checked row. `number` is what a spreadsheet shows, `cells` the row as it was, `values` what the file has.

    `region` and `time_zone` are what the number tells. `file_number` is what the file has instead of `phone_number`: a
    number that the contact had before, empty for all other rows.
    """

    #: No index of its own: two others begin with it.
    contact_import = models.ForeignKey(ContactImport, models.CASCADE, related_name="rows", db_index=False)
    number = models.PositiveIntegerField(_("row"))
    kind = models.CharField(_("kind"), max_length=10, choices=RowKind)
    phone_number = models.CharField(_("phone number"), max_length=16, blank=True)
    region = models.CharField(max_length=2, blank=True, default="")
    time_zone = models.CharField(max_length=64, blank=True, default="")
    file_number = models.CharField(_("number in the file"), max_length=16, blank=True, default="", db_default="")
    values = models.JSONField(default=dict, blank=True)
    cells = models.JSONField(default=list, blank=True)
    column = models.CharField(_("column"), max_length=255, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    remark = models.TextField(_("remark"), blank=True)
    opted_out = models.BooleanField(_("opted out"), default=False)
    #: For a changed row: what the contact has now, and what it gets instead, by field.
    before = models.JSONField(default=dict, blank=True)
    written = models.JSONField(null=True, blank=True)
    #: Ids of the groups that a contact who was there before joined by this import; a new one joined all of them.
    joined = models.JSONField(null=True, blank=True)

    class Meta:
        verbose_name = _("row of an import")
        verbose_name_plural = _("rows of imports")
        ordering = ["contact_import", "number"]
        constraints = [models.UniqueConstraint(fields=["contact_import", "number"], name="import_row_number")]
        indexes = [
            models.Index(fields=["contact_import", "kind", "number"], name="import_row_kind"),
            # The number first: with the import first, a database that has not counted its rows yet takes another index.
            models.Index(fields=["phone_number", "contact_import"], name="import_row_number_of"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_import} {self.number}"
