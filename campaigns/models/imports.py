"""A contact file on its way into the contacts: checked rows first, contacts after the operator has seen them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .contacts import ContactGroup


class ImportStatus(models.TextChoices):
    """Where an import stands."""

    CHECKING = "checking", _("being checked")
    CHECKED = "checked", _("waiting for you to confirm")
    IMPORTING = "importing", _("being imported")
    DONE = "done", _("imported")
    REFUSED = "refused", _("cannot be read")
    CANCELLED = "cancelled", _("cancelled")


class RowKind(models.TextChoices):
    """What a row of the file means for the contacts."""

    NEW = "new", _("new")
    CHANGED = "changed", _("changed")
    UNCHANGED = "unchanged", _("unchanged")
    DUPLICATE = "duplicate", _("duplicate")
    BAD = "bad", _("bad")


class ContactImport(models.Model):
    """
    One contact file. The counts add up to the rows that are not blank.

    `cursor` is the number of the last row that was worked off, so that an interrupted job goes on from there.
    """

    file = models.FileField(_("file"), upload_to="imports/%Y/%m/")
    file_name = models.CharField(_("file name"), max_length=255)
    region = models.CharField(_("country of national numbers"), max_length=2, blank=True)
    groups = models.ManyToManyField(ContactGroup, verbose_name=_("add to groups"), blank=True, related_name="imports")
    new_group = models.CharField(
        _("and to a new group"),
        max_length=150,
        blank=True,
        help_text=_("Its name. It is made when you confirm the import."),
    )
    #: Reasons and remarks are written in it: the check may run where nobody's language is active.
    language = models.CharField(max_length=10, blank=True, editable=False)
    status = models.CharField(_("status"), max_length=10, choices=ImportStatus, default=ImportStatus.CHECKING)
    problem = models.TextField(_("problem"), blank=True)
    encoding = models.CharField(_("encoding"), max_length=30, blank=True)
    delimiter = models.CharField(_("delimiter"), max_length=3, blank=True)
    columns = models.JSONField(_("columns"), default=dict, blank=True)
    new_count = models.PositiveIntegerField(_("new"), default=0)
    changed_count = models.PositiveIntegerField(_("changed"), default=0)
    unchanged_count = models.PositiveIntegerField(_("unchanged"), default=0)
    duplicate_count = models.PositiveIntegerField(_("duplicate"), default=0)
    bad_count = models.PositiveIntegerField(_("bad"), default=0)
    opted_out_count = models.PositiveIntegerField(_("opted out"), default=0)
    remark_count = models.PositiveIntegerField(_("with remarks"), default=0)
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

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_contactimport_change", args=[self.pk])

    @property
    def row_count(self) -> int:
        """Rows that are not blank."""
        return self.new_count + self.changed_count + self.unchanged_count + self.duplicate_count + self.bad_count


class ContactImportRow(models.Model):
    """A checked row. `number` is what a spreadsheet shows, `cells` the row as it was, `values` what would be stored."""

    contact_import = models.ForeignKey(ContactImport, models.CASCADE, related_name="rows")
    number = models.PositiveIntegerField(_("row"))
    kind = models.CharField(_("kind"), max_length=10, choices=RowKind)
    phone_number = models.CharField(_("phone number"), max_length=16, blank=True)
    values = models.JSONField(default=dict, blank=True)
    cells = models.JSONField(default=list, blank=True)
    column = models.CharField(_("column"), max_length=255, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    remark = models.TextField(_("remark"), blank=True)
    opted_out = models.BooleanField(_("opted out"), default=False)
    #: For a changed row: what the contact has now, by field.
    before = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("row of an import")
        verbose_name_plural = _("rows of imports")
        ordering = ["contact_import", "number"]
        constraints = [models.UniqueConstraint(fields=["contact_import", "number"], name="import_row_number")]
        indexes = [
            models.Index(fields=["contact_import", "kind", "number"], name="import_row_kind"),
            models.Index(fields=["contact_import", "phone_number"], name="import_row_phone"),
        ]

    def __str__(self) -> str:
        return f"{self.contact_import} {self.number}"
