"""`kill -9` of the worker in the middle of checking, importing and undoing a contact file: each ends right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.dirty_file import DirtyFile, make_dirty_file
from tests.processes import wait_for

from .installation import SendingInstallation
from .rigging import RiggedInstallation

pytestmark = pytest.mark.faults

ROW_COUNT = 30_000  # in three chunks and more, whatever is done with them
START = """
from django.core.files import File
from campaigns import importing
from campaigns.models import Contact
from campaigns.wakeups import wake
for n in range({old}):
    Contact.objects.create(phone_number=f"+7910{{n:07d}}", first_name="Old")
with open({path!r}, "rb") as file:
    wake("check_import", importing.start(File(file), file_name="dirty.csv", region="RU", new_group="All").pk)
"""
STEP = """
from campaigns import importing
from campaigns.models import ContactImport
from campaigns.wakeups import wake
contact_import = ContactImport.objects.get(file_name="dirty.csv")
assert importing.{step}(contact_import)
wake({task!r}, contact_import.pk)
"""
OLD_COUNT = 200
MEMBERS = (
    "SELECT count(*) FROM campaigns_contact_groups JOIN campaigns_contactgroup "
    "ON campaigns_contactgroup.id = contactgroup_id WHERE name = 'All'"
)
COUNTERS = "new_count, changed_count, unchanged_count, duplicate_count, bad_count"


class Imported:
    """The one import of an installation."""

    def __init__(self, installation: SendingInstallation) -> None:
        self.installation = installation
        self.rigged = RiggedInstallation(installation)

    def value(self, column: str) -> Any:
        return self.installation.storage.value(
            f"SELECT {column} FROM campaigns_contactimport WHERE file_name = 'dirty.csv'"
        )

    def counters(self) -> list[int]:
        return [int(self.value(column)) for column in COUNTERS.split(", ")]

    def begin(self, step: str, task: str) -> None:
        self.installation.manage("shell", "-c", STEP.format(step=step, task=task))

    def kill_at(self, *points: str) -> None:
        """Workers that are killed at each of the boundaries, one after the other; the sweeper wakes the next."""
        for point in points:
            workers = self.rigged.start_workers([point])
            self._be_found_silent()
            self.rigged.wait_until_struck(point)
            workers.kill()

    def finish(self, status: str) -> None:
        """With new workers and a sweep, as each minute."""
        workers = self.installation.start_workers()
        self._be_found_silent()
        wait_for(lambda: self.value("status") == status, status)
        workers.stop()
        assert "Traceback" not in workers.output

    def _be_found_silent(self) -> None:
        """The two minutes that the sweeper waits for a sign of life are over."""
        self.installation.storage.execute(
            "UPDATE campaigns_contactimport SET created_at = '2026-01-01 00:00:00+00', "
            "heartbeat_at = '2026-01-01 00:00:00+00'"
        )
        self.installation.sweep()


@pytest.mark.usefixtures("smsc")
def test_a_worker_killed_in_every_step_of_an_import_leaves_what_it_would_have_left(
    install: Callable[..., SendingInstallation], tmp_path: Path
) -> None:
    installation = install()
    storage = installation.storage
    dirty = make_dirty_file(ROW_COUNT, seed=7)
    path = tmp_path / "dirty.csv"
    path.write_bytes(dirty.content)
    people = int(storage.value("SELECT count(*) FROM campaigns_contact"))
    installation.manage("shell", "-c", START.format(path=str(path), old=OLD_COUNT))
    imported = Imported(installation)

    imported.kill_at("within-a-checked-chunk", "between-checked-chunks")
    assert imported.value("status") == "checking"
    imported.finish("checked")
    expected = _expected(dirty)
    assert imported.counters() == expected
    rows = "SELECT count(*) FROM campaigns_contactimportrow WHERE contact_import_id = "
    assert int(storage.value(f"{rows}{imported.value('id')}")) == sum(expected)
    assert int(storage.value("SELECT count(*) FROM campaigns_contact")) == people + OLD_COUNT

    imported.begin("confirm", "commit_import")
    imported.kill_at("within-an-imported-chunk", "between-imported-chunks")
    assert imported.value("status") == "importing"
    imported.finish("done")
    assert imported.counters() == expected
    assert _contacts(installation) == _contacts_expected(dirty)
    assert int(storage.value(MEMBERS)) == len(dirty.contacts)

    imported.begin("begin_undo", "undo_import")
    imported.kill_at("within-an-undone-chunk", "between-undone-chunks")
    assert imported.value("status") == "undoing"
    imported.finish("undone")
    assert int(storage.value("SELECT count(*) FROM campaigns_contact")) == people + OLD_COUNT
    assert int(storage.value("SELECT count(*) FROM campaigns_contact WHERE first_name = 'Old'")) == OLD_COUNT
    assert int(storage.value(MEMBERS)) == 0


def _expected(dirty: DirtyFile) -> list[int]:
    """Of the people in the file those from +79100000000 on were contacts before, under another name."""
    known = sum(number < f"+7910{OLD_COUNT:07d}" for number in dirty.contacts if number.startswith("+7910"))
    return [len(dirty.contacts) - known, known, 0, len(dirty.duplicates), len(dirty.bad_rows)]


def _contacts(installation: SendingInstallation) -> dict[str, tuple[str, str]]:
    rows = installation.storage.rows(
        "SELECT phone_number, first_name, last_name FROM campaigns_contact WHERE last_name <> ''"
    )
    return {number: (first, last) for number, first, last in rows if number.startswith("+791")}


def _contacts_expected(dirty: DirtyFile) -> dict[str, tuple[str, str]]:
    return {number: (first, last) for number, (_row, first, last, _city) in dirty.contacts.items()}
