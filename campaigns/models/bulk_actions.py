"""Something that is done to many rows in the background."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class BulkStatus(models.TextChoices):
    """Where a bulk action stands."""

    RUNNING = "running", _("running")
    DONE = "done", _("done")
    CANCELLED = "cancelled", _("cancelled")
    FAILED = "failed", _("failed")


class BulkAction(models.Model):
    """
    An operation on the rows that a list showed, worked off by id in sets.

    `selection` says which rows: `ids` that were ticked, or all by `filters`, the parameters of the list, in both cases
    no further than `up_to`, the newest id when the action was confirmed; with `ids` the only filter is the archive.
    `cursor` is the id of the last row worked off: an interrupted action goes on behind it. `progress` is what an
    operation keeps between its sets.
    """

    operation = models.CharField(_("what"), max_length=30)
    list_name = models.CharField(max_length=30)
    selection = models.JSONField(default=dict)
    parameters = models.JSONField(_("how"), default=dict, blank=True)
    status = models.CharField(_("status"), max_length=10, choices=BulkStatus, default=BulkStatus.RUNNING)
    problem = models.TextField(_("problem"), blank=True)
    total = models.PositiveIntegerField(_("to be done"), default=0)
    done_count = models.PositiveIntegerField(_("done"), default=0)
    changed_count = models.PositiveIntegerField(_("changed"), default=0)
    cursor = models.BigIntegerField(default=0)
    progress = models.JSONField(default=dict, blank=True)
    #: Words in files are written in it, and times in this zone: a worker has nobody's.
    language = models.CharField(max_length=10, blank=True)
    time_zone = models.CharField(max_length=64, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("by")
    )
    created_at = models.DateTimeField(_("begun"), default=timezone.now)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    #: For exports: where the file lies (empty: not written, or deleted), and until when it can be downloaded.
    file_path = models.CharField(max_length=200, blank=True)
    file_name = models.CharField(_("file"), max_length=150, blank=True)
    expires_at = models.DateTimeField(_("can be downloaded until"), null=True, blank=True)

    class Meta:
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        ordering = ["-id"]
        default_permissions = ("view",)
        indexes = [
            models.Index(
                fields=["heartbeat_at"], name="bulk_action_running", condition=models.Q(status=BulkStatus.RUNNING)
            ),
            models.Index(
                fields=["expires_at"], name="bulk_action_expires", condition=models.Q(expires_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.operation} {self.pk}"

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_bulkaction_change", args=[self.pk])
