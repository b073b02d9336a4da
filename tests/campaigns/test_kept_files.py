"""Files that hold people go after a time, and at once when somebody who may be in them is erased."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from campaigns import bulk, erasing, importing, kept_files
from campaigns.importing import checking
from campaigns.models import BulkAction, BulkStatus, ContactImport, ImportStatus
from campaigns.sending.sweeper import sweep
from tests.campaigns.building import make_contact, number

pytestmark = pytest.mark.django_db
ALL = {"filters": {}, "up_to": 2**40}


@pytest.fixture(autouse=True)
def media(settings, tmp_path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture(autouse=True)
def committed(django_capture_on_commit_callbacks):
    """What is done when a transaction has committed."""
    return django_capture_on_commit_callbacks


def upload(*numbers: str, days_ago: int = 0) -> ContactImport:
    content = "\n".join(["phone", *numbers]).encode()
    started = importing.start(ContentFile(content, "people.csv"), file_name="people.csv", region="RU")
    importing.check(started.pk)
    ContactImport.objects.filter(pk=started.pk).update(created_at=timezone.now() - timedelta(days=days_ago))
    started.refresh_from_db()
    return started


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def exported() -> BulkAction:
    action = bulk.start("export", "contact", ALL, total=1, parameters={"format": "csv"})
    bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.DONE
    return action


def test_an_upload_is_deleted_after_its_days_and_its_rows_stay(media, settings):
    old, young = upload(number(1), days_ago=91), upload(number(2), days_ago=89)
    sweep()
    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.file.name, old.rows.count()) == ("", 1)
    assert young.file.name
    assert len(files_in(media)) == 1


def test_the_bad_rows_beside_it_go_with_it(media, tmp_path):
    path = tmp_path / "people.csv"
    path.write_text("phone\n123\n")
    call_command("import_contacts", str(path))
    assert len(files_in(media)) == 2
    ContactImport.objects.update(created_at=timezone.now() - timedelta(days=91))
    sweep()
    assert files_in(media) == []


def test_a_file_that_is_being_read_is_not_taken_away(media):
    contact_import = upload(number(1), days_ago=91)
    ContactImport.objects.update(status=ImportStatus.CHECKING)
    sweep()
    assert len(files_in(media)) == 1
    contact_import.refresh_from_db()
    assert contact_import.file.name


def test_whoever_comes_back_to_a_file_that_is_gone_is_told_so(media):
    contact_import = upload(number(1), days_ago=91)
    sweep()
    contact_import.refresh_from_db()
    assert importing.read_anew(contact_import)
    assert "no longer there" in importing.look(contact_import).problem
    ContactImport.objects.update(status=ImportStatus.CHECKING)
    assert not checking.check(contact_import.pk)
    contact_import.refresh_from_db()
    assert (contact_import.status, "no longer there" in contact_import.problem) == ("refused", True)


def test_good_rows_can_still_be_imported_and_undone_when_their_file_is_gone(media):
    contact_import = upload(number(1), days_ago=91)
    sweep()
    importing.confirm(contact_import)
    assert not importing.commit(contact_import.pk)
    contact_import.refresh_from_db()
    assert (contact_import.status, contact_import.new_count) == ("done", 1)


def test_erasing_deletes_the_uploads_that_hold_the_person_and_no_other(media, committed):
    theirs, other = upload(number(1), number(2)), upload(number(3))
    with committed(execute=True):
        erasure = erasing.request_erasure(number(1), reason="x", actor=None)
    assert erasure.outcome["files"] == [theirs.file.name]
    theirs.refresh_from_db()
    other.refresh_from_db()
    assert (theirs.file.name, bool(other.file.name)) == ("", True)
    assert len(files_in(media)) == 1


def test_a_process_that_dies_right_after_erasing_leaves_the_file_to_the_sweeper(media):
    contact_import = upload(number(1))
    erasing.request_erasure(number(1), reason="x", actor=None)  # nothing is done on commit
    assert len(files_in(media)) == 1
    sweep()
    contact_import.refresh_from_db()
    assert (files_in(media), contact_import.file.name) == ([], "")


def test_erasing_deletes_the_exports_that_were_made_before(media, client, django_user_model):
    make_contact(number(1))
    action = exported()
    erasing.request_erasure(number(1), reason="x", actor=None)
    action.refresh_from_db()
    client.force_login(django_user_model.objects.create_superuser("root"))
    assert client.get(f"{action.get_absolute_url()}".replace("change/", "file/")).status_code == 404
    sweep()
    assert files_in(media) == []
    later = exported()
    sweep()
    assert len(files_in(media)) == 1
    assert later.expires_at
    assert later.expires_at > timezone.now()


def test_an_export_that_is_being_written_ends_and_says_why(media, monkeypatch):
    for n in (1, 2, 3):
        make_contact(number(n))
    monkeypatch.setattr(type(bulk.OPERATIONS["export"]), "chunk", 1)
    action = bulk.start("export", "contact", ALL, total=3, parameters={"format": "csv"})
    assert bulk.run(action.pk, seconds=0)
    erasing.request_erasure(number(1), reason="x", actor=None)
    assert not bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.FAILED
    assert "Somebody was erased while the file was written" in action.problem
    sweep()
    assert files_in(media) == []


def test_no_more_than_some_files_are_deleted_in_one_go(media, monkeypatch):
    monkeypatch.setattr(kept_files, "_AT_ONCE", 1)
    upload(number(1), days_ago=91)
    upload(number(2), days_ago=91)
    kept_files.delete_old_uploads()
    assert len(files_in(media)) == 1
    kept_files.delete_old_uploads()
    assert files_in(media) == []
