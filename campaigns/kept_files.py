"""Files that hold people: how long they are kept, and what erasing does to them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import PurePosixPath

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from .models import BulkAction, BulkStatus, ContactImport, ImportStatus

#: The bad rows of a file, which the command writes beside it.
BAD_ROWS_ENDING = "-errors.csv"
#: Files that are deleted in one go of the sweeper.
_AT_ONCE = 100


def delete_old_uploads() -> None:
    """Delete uploaded files whose time is over; for the sweeper. What became of their rows stays."""
    now = timezone.now()
    expired = Q(created_at__lt=now - timedelta(days=settings.UPLOAD_KEEP_DAYS))
    expired &= ~Q(status__in=[ImportStatus.CHECKING, ImportStatus.IMPORTING, ImportStatus.UNDOING])
    _delete_uploads(expired | Q(keep_file_until__lt=now))


def _delete_uploads(which: Q) -> None:
    for contact_import in ContactImport.objects.filter(which).exclude(file="").order_by("pk")[:_AT_ONCE]:
        file = contact_import.file
        path = PurePosixPath(file.name)
        file.storage.delete(str(path.with_name(f"{path.stem}{BAD_ROWS_ENDING}")))
        file.storage.delete(file.name)
        ContactImport.objects.filter(pk=contact_import.pk, file=file.name).update(file="", keep_file_until=None)


def give_up_files_of_people(uploads: Iterable[str]) -> None:
    """
    Delete these uploaded files, and all exports, which may hold whoever is erased.

    Call it in the transaction that erases: from its end on nobody can download them. Uploads go at once, exports, and
    whatever a process that dies just then leaves, with the next sweep.
    """
    now = timezone.now()
    ContactImport.objects.filter(file__in=list(uploads)).update(keep_file_until=now)
    exports = BulkAction.objects.filter(operation="export").exclude(file_path="")
    exports.filter(status=BulkStatus.RUNNING).update(
        status=BulkStatus.FAILED,
        problem=_("Somebody was erased while the file was written, who may be in it. Export again."),
        finished_at=now,
    )
    exports.update(expires_at=now)
    transaction.on_commit(lambda: _delete_uploads(Q(keep_file_until__lt=timezone.now())), robust=True)
