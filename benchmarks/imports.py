"""
Importing a dirty contact file, side by side with the least it could cost.

    python benchmarks/imports.py [rows]

Ours: read, check, store every judged row for the preview, then commit the contacts, as the pages and the command do;
then the same file again; then the first import is undone. The floor: csv + phonenumbers + COPY + one
INSERT ... ON CONFLICT on PostgreSQL, bulk_create(update_conflicts) on SQLite, without preview, reasons, comparison,
undoing or resuming. Each in a process of its own, on a fresh database: SQLite in a file, or a test database beside the
one that DATABASE_URL names.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(BASE_DIR))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

import django  # noqa: E402

django.setup()

import phonenumbers  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.files import File  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import F  # noqa: E402
from django.test.utils import setup_databases, teardown_databases  # noqa: E402

from campaigns import importing  # noqa: E402
from campaigns.models import Contact, ContactImport  # noqa: E402

CHUNK_ROWS = 1000
COLUMNS = "phone_number, first_name, last_name, attributes"


def floor_rows(path: Path) -> Iterator[tuple[str, str, str, str]]:
    """The rows with valid numbers: number, first and last name, attributes."""
    with path.open(encoding="cp1251", newline="") as file:
        reader = csv.reader(file, delimiter=";")
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
            yield e164, cells[2], cells[1], json.dumps(attributes)


def floor_by_copy(path: Path) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TEMP TABLE staged (phone_number varchar, first_name varchar, last_name varchar, attributes jsonb)"
        )
        with cursor.copy(f"COPY staged ({COLUMNS}) FROM STDIN") as copy:
            for row in floor_rows(path):
                copy.write_row(row)
        cursor.execute(
            f"INSERT INTO campaigns_contact ({COLUMNS}, email, language, region, time_zone, consent, consent_source, "
            "consent_evidence, created_at, updated_at) "
            f"SELECT DISTINCT ON (phone_number) {COLUMNS}, '', '', '', '', 'unknown', '', '', now(), now() FROM staged "
            "ON CONFLICT (phone_number) DO UPDATE SET first_name = EXCLUDED.first_name, "
            "last_name = EXCLUDED.last_name, attributes = EXCLUDED.attributes"
        )


def floor_by_bulk_create(path: Path) -> None:
    contacts: dict[str, Contact] = {}
    for e164, first_name, last_name, attributes in floor_rows(path):
        contacts[e164] = Contact(
            phone_number=e164, first_name=first_name, last_name=last_name, attributes=json.loads(attributes)
        )
        if len(contacts) == CHUNK_ROWS:
            upsert(contacts)
    upsert(contacts)


def upsert(contacts: dict[str, Contact]) -> None:
    Contact.objects.bulk_create(
        contacts.values(),
        update_conflicts=True,
        unique_fields=["phone_number"],
        update_fields=["first_name", "last_name", "attributes"],
    )
    contacts.clear()


def floor(path: Path) -> dict[str, float]:
    began = time.perf_counter()
    (floor_by_copy if connection.vendor == "postgresql" else floor_by_bulk_create)(path)
    return {"seconds": time.perf_counter() - began}


def ours(path: Path) -> dict[str, float]:
    with path.open("rb") as file:
        contact_import = importing.start(File(file), file_name=path.name, region="RU")
    began = time.perf_counter()
    importing.check(contact_import.pk)
    checked = time.perf_counter()
    importing.confirm(ContactImport.objects.get(pk=contact_import.pk))
    importing.commit(contact_import.pk)
    return {"check": checked - began, "commit": time.perf_counter() - checked}


def undo(_path: Path) -> dict[str, float]:
    contact_import = ContactImport.objects.earliest("pk")
    began = time.perf_counter()
    plan = importing.undo_plan(contact_import)
    planned = time.perf_counter()
    importing.begin_undo(contact_import)
    importing.undo(contact_import.pk)
    return {"plan": planned - began, "undo": time.perf_counter() - planned, "removed": plan.removed}


def _run(part: Callable[[Path], dict[str, float]], path: Path, queue: Any) -> None:
    connection.close()
    figures = part(path)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    queue.put({**figures, "contacts": Contact.objects.count(), "peak": peak})


def apart(part: Callable[[Path], dict[str, float]], path: Path) -> dict[str, float]:
    """The figures of a part that ran in a process of its own, with the most memory (MB) that it had."""
    connection.close()
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    process = context.Process(target=_run, args=(part, path, queue))
    process.start()
    figures: dict[str, float] = queue.get()
    process.join()
    return figures


def measured(path: Path) -> dict[str, dict[str, float]]:
    figures = {"floor": apart(floor, path)}
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM campaigns_contact")
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM FULL ANALYZE campaigns_contact")
    figures["ours"] = apart(ours, path)
    a_day_later()
    return figures | {"again": apart(ours, path), "undo": apart(undo, path)}


def a_day_later() -> None:
    """The next file comes when nobody has just touched the contacts: all that has happened is moved into the past."""
    day = timedelta(days=1)
    Contact.objects.update(created_at=F("created_at") - day, updated_at=F("updated_at") - day)
    contact_import = ContactImport.objects.get()
    confirmed_at = datetime.fromisoformat(contact_import.undo["confirmed_at"]) - day
    contact_import.undo = {**contact_import.undo, "confirmed_at": confirmed_at.isoformat()}
    contact_import.save(update_fields=["undo"])
    ContactImport.objects.update(created_at=F("created_at") - day, finished_at=F("finished_at") - day)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE campaigns_contact")


def main() -> None:
    row_count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "dirty.csv")
        maker = [sys.executable, "-m", "tests.dirty_file", str(row_count), str(path), "--duplicates", "0.02"]
        subprocess.run(maker, check=True, cwd=BASE_DIR, stdout=subprocess.DEVNULL)
        settings.MEDIA_ROOT = folder
        if connection.vendor == "sqlite":
            connection.settings_dict["TEST"]["NAME"] = f"{folder}/benchmark.sqlite3"
        databases = setup_databases(verbosity=0, interactive=False)
        try:
            figures = measured(path)
        finally:
            teardown_databases(databases, verbosity=0)
    show(row_count, figures)


def show(row_count: int, figures: dict[str, dict[str, float]]) -> None:
    def line(words: str, seconds: float, remark: str = "") -> None:
        print(f"{words:18}{seconds:8.2f} s  {row_count / seconds:9,.0f} rows/s  {remark}")

    floor_seconds, mine, again, undone = (figures[name] for name in ("floor", "ours", "again", "undo"))
    total = mine["check"] + mine["commit"]
    print(f"{row_count:,} rows on {settings.DATABASES['default']['ENGINE'].rpartition('.')[2]}")
    line("floor", floor_seconds["seconds"], f"{floor_seconds['contacts']:,.0f} contacts")
    line("check", mine["check"])
    line("commit", mine["commit"], f"{mine['contacts']:,.0f} contacts")
    line("check and commit", total, f"{total / floor_seconds['seconds']:.2f} x the floor, {mine['peak']:.0f} MB")
    line("the same again", again["check"] + again["commit"], f"(nothing to write) {again['peak']:.0f} MB")
    line("undo", undone["undo"], f"{undone['removed']:,.0f} contacts, said before in {undone['plan']:.2f} s")


if __name__ == "__main__":
    main()
