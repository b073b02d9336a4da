"""
Importing a dirty contact file, side by side with the least it could cost.

    python benchmarks/imports.py [rows]

Ours: read, check, store every judged row, then commit contacts and a group, as the pages and the command do. The floor:
csv + phonenumbers + bulk_create(update_conflicts), without preview, reasons, comparison or resuming. Both on a fresh
database: SQLite in a file, or a test database beside the one that DATABASE_URL names.
"""

from __future__ import annotations

import csv
import io
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

import phonenumbers  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.files.base import ContentFile  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from campaigns import importing  # noqa: E402
from campaigns.models import Contact, ContactImport  # noqa: E402
from tests.dirty_file import DirtyFile, make_dirty_file  # noqa: E402

CHUNK_ROWS = 1000


def floor(dirty: DirtyFile) -> int:
    """The straight way; how many contacts it made."""
    contacts: dict[str, Contact] = {}
    reader = csv.reader(io.StringIO(dirty.content.decode("cp1251")), delimiter=";")
    header = next(reader)
    for cells in reader:
        if not any(cells):
            continue
        try:
            number = phonenumbers.parse(cells[3], "RU")
        except (phonenumbers.NumberParseException, IndexError):
            continue
        if not phonenumbers.is_valid_number(number):
            continue
        e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
        attributes = dict(zip(header[4:], cells[4:], strict=False))
        contacts[e164] = Contact(phone_number=e164, last_name=cells[1], first_name=cells[2], attributes=attributes)
        if len(contacts) == CHUNK_ROWS:
            upsert(contacts)
    upsert(contacts)
    return Contact.objects.count()


def upsert(contacts: dict[str, Contact]) -> None:
    Contact.objects.bulk_create(
        contacts.values(),
        update_conflicts=True,
        unique_fields=["phone_number"],
        update_fields=["first_name", "last_name", "attributes"],
    )
    contacts.clear()


def ours(dirty: DirtyFile) -> tuple[float, float, int]:
    """Seconds for check and commit, and how many contacts were made."""
    contact_import = importing.start(ContentFile(dirty.content), file_name="dirty.csv", region="RU", new_group="All")
    began = time.perf_counter()
    importing.check(contact_import.pk)
    checked = time.perf_counter()
    importing.confirm(ContactImport.objects.get(pk=contact_import.pk))
    importing.commit(contact_import.pk)
    done = time.perf_counter()
    return checked - began, done - checked, Contact.objects.count()


def peak_memory() -> float:
    """The most that this process has ever used, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    row_count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    dirty = make_dirty_file(row_count)
    with tempfile.TemporaryDirectory() as folder:
        settings.MEDIA_ROOT = folder
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = f"{folder}/benchmark.sqlite3"
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            began = time.perf_counter()
            floor_count = floor(dirty)
            floor_seconds = time.perf_counter() - began
            Contact.objects.all().delete()
            memory_before = peak_memory()
            check_seconds, commit_seconds, count = ours(dirty)
            memory_after = peak_memory()
            again_check, again_commit, _count = ours(dirty)
        finally:
            teardown_databases(databases, verbosity=0)
    total = check_seconds + commit_seconds
    print(f"{row_count} rows on {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}")
    print(f"floor             {floor_seconds:7.2f} s  {row_count / floor_seconds:8.0f} rows/s  {floor_count} contacts")
    print(f"check             {check_seconds:7.2f} s  {row_count / check_seconds:8.0f} rows/s")
    print(f"commit            {commit_seconds:7.2f} s  {row_count / commit_seconds:8.0f} rows/s  {count} contacts")
    print(f"check and commit  {total:7.2f} s  {row_count / total:8.0f} rows/s  {total / floor_seconds:.2f} x the floor")
    print(f"the same again    {again_check + again_commit:7.2f} s  (nothing to write)")
    print(f"memory            {memory_after - memory_before:7.0f} MB more at its highest than before the import")


if __name__ == "__main__":
    main()
