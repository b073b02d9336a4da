"""An import's way from the file to the contacts. The admin and the command go through these."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.core.files import File
from django.db import transaction
from django.utils import timezone, translation

from campaigns.audit import record
from campaigns.models import ContactGroup, ContactImport, ImportStatus, User

#: A step under way that showed no sign of life for so long has lost its worker.
STALLED_AFTER = timedelta(minutes=2)
UNDER_WAY = (ImportStatus.CHECKING, ImportStatus.IMPORTING)


def start(
    file: File[bytes],
    *,
    file_name: str,
    region: str,
    groups: Iterable[ContactGroup] = (),
    new_group: str = "",
    actor: User | None = None,
) -> ContactImport:
    """Keep the file for an import that is to be checked next. `new_group` is made when the import is confirmed."""
    with transaction.atomic():
        contact_import = ContactImport(
            file_name=file_name,
            region=region,
            new_group=new_group,
            language=translation.get_language() or "",
            created_by=actor,
        )
        contact_import.file.save(file_name, file, save=False)
        contact_import.save()
        contact_import.groups.set(groups)
    return contact_import


def confirm(contact_import: ContactImport, *, actor: User | None = None) -> bool:
    """Let the good rows be imported by `commit()`. False if that was decided before (a second click)."""
    with transaction.atomic():
        if not _move(contact_import, (ImportStatus.CHECKED,), ImportStatus.IMPORTING, cursor=0):
            return False
        if contact_import.new_group:
            group, _created = ContactGroup.objects.get_or_create(name=contact_import.new_group)
            contact_import.groups.add(group)
        record("import", actor=actor, subject=contact_import.file_name, details={"import": contact_import.pk})
    return True


def cancel(contact_import: ContactImport, *, actor: User | None = None) -> bool:
    """Give up an import that is not confirmed yet. False if it is too late."""
    with transaction.atomic():
        if not _move(contact_import, (ImportStatus.CHECKING, ImportStatus.CHECKED), ImportStatus.CANCELLED):
            return False
        ContactImport.objects.filter(pk=contact_import.pk).update(finished_at=timezone.now())
        record("cancel_import", actor=actor, subject=contact_import.file_name, details={"import": contact_import.pk})
    return True


def stalled_imports() -> list[tuple[int, str]]:
    """Ids and statuses of imports under way that nobody works at any more; `check()` or `commit()` takes them up."""
    silent_since = timezone.now() - STALLED_AFTER
    under_way = ContactImport.objects.filter(status__in=UNDER_WAY, created_at__lt=silent_since)
    return list(under_way.exclude(heartbeat_at__gte=silent_since).values_list("pk", "status"))


def _move(contact_import: ContactImport, sources: Iterable[str], target: ImportStatus, **updates: int) -> bool:
    """Only one of several at once succeeds."""
    mine = ContactImport.objects.filter(pk=contact_import.pk, status__in=sources)
    moved = mine.update(status=target, heartbeat_at=timezone.now(), **updates) == 1
    contact_import.refresh_from_db()
    return moved
