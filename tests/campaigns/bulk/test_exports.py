"""Exports: every row once whatever happens to the worker, no formulas, for a set time, to whoever asked."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from campaigns import bulk, importing
from campaigns.bulk import exporting, files
from campaigns.models import Attribute, AuditEvent, BulkAction, BulkStatus, Contact, MessageStatus
from campaigns.sending.sweeper import sweep
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, make_user, number

pytestmark = pytest.mark.django_db
ALL = {"filters": {}, "up_to": 2**40}


@pytest.fixture(autouse=True)
def media(settings, tmp_path, monkeypatch) -> Path:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(exporting.Export, "chunk", 2)
    return tmp_path / "exports"


def begin(list_name="contact", kind="csv", selection=ALL) -> BulkAction:
    return bulk.start("export", list_name, selection, total=5, parameters={"format": kind}, actor=make_user())


def finished(action: BulkAction) -> BulkAction:
    assert not bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.DONE, action.problem
    return action


def table(action: BulkAction) -> list[list[str]]:
    content = (Path(settings.MEDIA_ROOT) / action.file_path).read_bytes()
    if action.file_path.endswith(".xlsx"):
        sheet: Any = openpyxl.load_workbook(io.BytesIO(content), read_only=True).active
        return [["" if value is None else str(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


def dicts(action: BulkAction) -> list[dict[str, str]]:
    header, *rows = table(action)
    return [dict(zip(header, row, strict=True)) for row in rows]


@pytest.fixture
def five() -> list[Contact]:
    group = make_group("Regulars")
    return [make_contact(number(n), group, first_name=f"Name {n}", attributes={"city": "Kazan"}) for n in range(1, 6)]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_every_row_is_there_once_with_the_columns_of_the_resource(five, kind):
    rows = dicts(finished(begin(kind=kind)))
    assert [row["phone_number"] for row in rows] == [number(n) for n in range(1, 6)]
    assert (rows[0]["first_name"], rows[0]["groups"], rows[0]["attributes"]) == (
        "Name 1",
        "Regulars",
        '{"city": "Kazan"}',
    )


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("lost", ["before the commit", "after the file was packed"])
def test_a_worker_that_is_killed_costs_no_row_and_doubles_none(five, monkeypatch, kind, lost):
    """The file is ahead of the transaction that is lost; the next worker cuts it back."""
    action = begin(kind=kind)
    if lost == "before the commit":
        apply, calls = exporting.Export.apply, []

        def killed(self, action, ids):
            apply(self, action, ids)
            calls.append(ids)
            if len(calls) == 2:
                raise SystemExit
            return len(ids)

        where: Any = (exporting.Export, "apply", killed)
    else:
        finish = exporting.Export.finish

        def killed_late(self, action):
            finish(self, action)
            raise SystemExit

        where = (exporting.Export, "finish", killed_late)
    with monkeypatch.context() as patched:
        patched.setattr(*where)
        with pytest.raises(SystemExit):
            bulk.run(action.pk)
    rows = dicts(finished(action))
    assert [row["phone_number"] for row in rows] == [number(n) for n in range(1, 6)]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_nobody_is_a_file_with_a_header(kind):
    (header,) = table(finished(begin(kind=kind)))
    assert header[0] == "phone_number"


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("evil", ["=1+1", "+SUM(A1)", "-x", "@cmd"])
def test_what_a_spreadsheet_would_run_is_text(kind, evil):
    make_contact(number(1), first_name=evil, attributes={"note": evil})
    Attribute.objects.create(name="note")
    (row,) = dicts(finished(begin(kind=kind)))
    assert (row["first_name"], row["note"]) == (f"'{evil}", f"'{evil}")


def test_characters_that_xml_cannot_have_do_not_break_the_workbook():
    make_contact(number(1), first_name="a\x0bb<&>\"'", last_name="é😀")
    (row,) = dicts(finished(begin(kind="xlsx")))
    assert (row["first_name"], row["last_name"]) == ("ab<&>\"'", "é😀")


def test_a_cell_longer_than_excel_can_hold_is_cut_with_a_sign():
    text = files.XlsxFormat().lines([["x" * 40_000]])
    assert "x" * 32_766 + "…</t>" in text


def test_defined_fields_have_columns_of_their_own(five):
    Attribute.objects.create(name="city")
    Attribute.objects.create(name="vip", kind="yes_no")
    five[0].attributes = {"City": "Perm", "vip": True, "shoe": 44}
    five[0].save()
    rows = dicts(finished(begin()))
    assert (rows[0]["city"], rows[0]["vip"], rows[0]["attributes"]) == ("Perm", "yes", '{"shoe": 44}')
    assert (rows[1]["city"], rows[1]["vip"], rows[1]["attributes"]) == ("Kazan", "", "")


def test_what_was_exported_can_be_imported_again(five):
    Attribute.objects.create(name="age", kind="number")
    five[1].attributes = {"age": 7, "note": "-x"}
    five[1].save()
    before = {contact.phone_number.as_e164: contact.attributes for contact in Contact.objects.all()}
    action = finished(begin())
    content = (Path(settings.MEDIA_ROOT) / action.file_path).read_bytes()
    Contact.objects.all().delete()
    contact_import = importing.start(ContentFile(content), file_name="again.csv", region="RU")
    importing.check(contact_import.pk)
    contact_import.refresh_from_db()
    importing.confirm(contact_import)
    importing.commit(contact_import.pk)
    assert {contact.phone_number.as_e164: contact.attributes for contact in Contact.objects.all()} == before


def test_the_log_is_exported_in_words():
    contact = make_contact(number(1), first_name="Anna")
    campaign = make_campaign(name="Sale")
    make_message(number(1), contact=contact, campaign=campaign, status=MessageStatus.UNKNOWN, reason="worker_lost")
    make_message(number(2), body="=1+1", segment_count=1)
    unknown, other = dicts(finished(begin("sentmessage")))
    assert (unknown["name"], unknown["campaign"], unknown["status"]) == ("Anna", "Sale", "unknown")
    assert unknown["reason"] == "the worker stopped while handing it over"
    assert (other["text"], other["segments"], other["phone number"]) == ("'=1+1", "1", number(2))


def test_the_filters_of_the_log_are_those_of_its_list():
    campaign = make_campaign()
    make_message(number(1), campaign=campaign)
    make_message(number(2))
    filters = {"campaign__id__exact": [str(campaign.pk)], "status__exact": ["queued"]}
    rows = dicts(finished(begin("sentmessage", selection={"filters": filters, "up_to": 2**40})))
    assert [row["phone number"] for row in rows] == [number(1)]


def test_times_are_those_of_whoever_asked_and_so_are_words():
    from django.utils import translation

    at = timezone.now().replace(month=1, day=5, hour=22, minute=30, second=0, microsecond=0)
    make_message(number(1), created_at=at)
    with timezone.override("Europe/Moscow"), translation.override("en"):
        action = begin("sentmessage")
    (row,) = dicts(finished(action))
    assert row["created (Europe/Moscow)"].endswith("-01-06 01:30:00")


def test_the_file_is_deleted_when_its_time_is_over(five, media):
    action = finished(begin())
    assert action.expires_at is not None
    assert action.expires_at > timezone.now() + timedelta(days=6)
    assert len(list(media.iterdir())) == 1
    sweep()
    assert len(list(media.iterdir())) == 1
    BulkAction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    sweep()
    assert list(media.iterdir()) == []
    action.refresh_from_db()
    assert (action.file_path, action.expires_at is None) == ("", True)


def test_a_cancelled_export_leaves_no_file(five, media):
    action = begin()
    bulk.run(action.pk, seconds=0)
    assert len(list(media.iterdir())) == 1
    bulk.cancel(action, actor=None)
    assert list(media.iterdir()) == []


def test_a_file_that_somebody_deleted_ends_it_with_a_sentence(five, media):
    action = begin()
    bulk.run(action.pk, seconds=0)
    for file in media.iterdir():
        file.unlink()
    bulk.run(action.pk)
    action.refresh_from_db()
    assert (action.status, action.problem) == (BulkStatus.FAILED, "The file is not there any more. Export again.")


def test_who_exported_what_is_recorded(five):
    action = begin()
    event = AuditEvent.objects.get(action="export")
    assert (event.actor, event.count, event.details["filters"]) == (action.created_by, 5, {})
