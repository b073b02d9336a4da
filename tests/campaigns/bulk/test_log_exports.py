"""Exports of the log: the columns that were chosen, all that the filters match, in its order, once."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from campaigns import bulk
from campaigns.bulk import exporting
from campaigns.models import Attribute, AuditEvent, BulkAction, BulkStatus, MessageStatus
from tests.campaigns.building import make_campaign, make_contact, make_group, make_message, make_user, number
from tests.campaigns.screens import log_url, sign_in, sign_in_superuser, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings, tmp_path, monkeypatch) -> Path:
    settings.MEDIA_ROOT = tmp_path
    monkeypatch.setattr(exporting.Export, "chunk", 2)
    return tmp_path / "exports"


def begin(*columns: str, kind: str = "csv", up_to: int = 2**40, **filters: str) -> BulkAction:
    selection = {"filters": {name: [value] for name, value in filters.items()}, "up_to": up_to}
    parameters = {"format": kind, "columns": list(columns)}
    return bulk.start("export", "sentmessage", selection, total=0, parameters=parameters, actor=make_user())


def rows(action: BulkAction) -> list[list[str]]:
    assert not bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.DONE, action.problem
    content = (Path(settings.MEDIA_ROOT) / action.file_path).read_bytes()
    if action.file_path.endswith(".xlsx"):
        sheet: Any = openpyxl.load_workbook(io.BytesIO(content), read_only=True).active
        return [["" if value is None else str(value) for value in row] for row in sheet.iter_rows(values_only=True)]
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def six() -> None:
    """Ids and times do not go together."""
    start = timezone.now() - timedelta(days=1)
    for n in (3, 1, 6, 2, 5, 4):
        status = MessageStatus.FAILED if n % 2 else MessageStatus.REJECTED
        make_message(number(n), status=status, created_at=start + timedelta(minutes=n))
    make_message(number(7), status=MessageStatus.DELIVERED)


def test_all_that_the_filters_match_comes_once_in_the_order_of_the_log(six):
    (_header, *found) = rows(begin("phone_number", status__exact="not_reached"))
    assert found == [[number(n)] for n in range(1, 7)]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_a_worker_that_is_killed_between_two_sets_costs_no_row(six, kind, monkeypatch):
    action = begin("phone_number", kind=kind, status__exact="not_reached")
    apply, calls = exporting.Export.apply, []

    def killed(self, action, ids):
        apply(self, action, ids)
        calls.append(ids)
        if len(calls) == 2:
            raise SystemExit
        return len(ids)

    with monkeypatch.context() as patched:
        patched.setattr(exporting.Export, "apply", killed)
        with pytest.raises(SystemExit):
            bulk.run(action.pk)
    assert rows(action)[1:] == [[number(n)] for n in range(1, 7)]


def test_rows_that_come_after_it_was_asked_for_are_left_out_wherever_they_stand(six):
    action = begin("phone_number", up_to=make_message(number(8)).pk)
    assert bulk.run(action.pk, seconds=0)
    for n in (20, 21, 22, 23):  # more than a set, in its midst
        make_message(number(n), created_at=timezone.now() - timedelta(hours=1))
    assert [row for (row,) in rows(action)[1:]] == [number(n) for n in range(1, 9)]


def test_the_columns_are_those_that_were_chosen_the_contacts_own_among_them():
    Attribute.objects.create(name="city", label="Town")
    contact = make_contact(
        number(1), make_group("Regulars"), first_name="Anna", email="a@example.org", attributes={"City": "Perm"}
    )
    make_message(number(1), contact=contact, campaign=make_campaign(name="Sale"))
    make_message(number(2))
    header, first, second = rows(
        begin("attribute:city", "status", "contact:email", "contact:groups", "contact:first_name", "campaign", "gone")
    )
    assert header == [
        "campaign",
        "status",
        "contact: first name",
        "contact: e-mail",
        "contact: groups",
        "city",
    ]
    assert first == ["Sale", "queued", "Anna", "a@example.org", "Regulars", "Perm"]
    assert second == ["", "queued", "", "", "", ""]


def test_a_contact_is_read_once_for_a_set_and_not_for_each_row(django_assert_num_queries, monkeypatch):
    from campaigns.bulk.log_exporting import COLUMNS, LogTable, contact_columns

    for n in range(1, 9):
        make_message(number(n), contact=make_contact(number(n), make_group(str(n))))
    table = LogTable()
    columns = [*COLUMNS, *contact_columns()]
    ids = list(range(1, 2**10))
    from campaigns.models import SentMessage

    ids = list(SentMessage.objects.values_list("pk", flat=True))
    table.rows(ids, columns)
    with django_assert_num_queries(3):  # messages, contacts, groups
        assert len(table.rows(ids, columns)) == 8


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("evil", ["=1+1", "+SUM(A1)", "-x", "@cmd", "\t=1"])
def test_what_a_spreadsheet_would_run_is_text_in_every_column(kind, evil):
    Attribute.objects.create(name="note")
    contact = make_contact(number(1), make_group(evil.strip()), first_name=evil, attributes={"note": evil})
    make_message(number(1), contact=contact, body=evil, sender_id=evil, campaign=make_campaign(name=evil))
    columns = ("body", "sender_id", "campaign", "name", "contact:first_name", "contact:groups", "attribute:note")
    (row,) = rows(begin(*columns, kind=kind))[1:]
    assert all(cell.startswith("'") or cell.strip() != evil.strip() for cell in row), row


def test_filters_that_mean_nothing_any_more_end_it_with_a_sentence():
    action = begin("id", status__exact="nonsense")
    bulk.run(action.pk)
    action.refresh_from_db()
    assert (action.status, action.problem) == (
        BulkStatus.FAILED,
        "The filters of the list cannot be used any more.",
    )


def test_more_rows_than_excel_holds_end_it_with_a_sentence_where_they_were_not_counted(six, monkeypatch):
    monkeypatch.setattr(exporting, "MOST_XLSX_ROWS", 5)
    action = begin("id", kind="xlsx")
    bulk.run(action.pk)
    action.refresh_from_db()
    assert action.status == BulkStatus.FAILED
    assert "An Excel file can hold 4 rows at most. Choose CSV." in action.problem


# --- the page --------------------------------------------------------------------------------------------------


def export_url(**filters: object) -> str:
    return reverse("admin:campaigns_sentmessage_export", query=filters)


def test_the_page_says_what_is_exported_in_words_and_in_numbers(client, six):
    sign_in(client, "view_sentmessage", "export_sentmessage")
    page = text_of(client.get(export_url(status__exact="not_reached")))
    assert "6 messages will be written into a file." in page
    assert "Status not reached" in page
    assert "for 7 days; then it is deleted" in page
    assert "this is the whole log" in text_of(client.get(export_url()))
    assert "Nothing matches these filters now." in text_of(client.get(export_url(reason__exact="too_late")))


def test_what_was_chosen_is_begun_recorded_and_leads_back_to_the_same_list(client, six):
    user = sign_in(client, "view_sentmessage", "export_sentmessage", "view_bulkaction")
    url = export_url(status__exact="not_reached")
    response = client.post(url, {"format": "csv", "columns": ["phone_number"], "contact": ["contact:email"]})
    action = BulkAction.objects.get()
    assert response.url == action.get_absolute_url()
    assert action.selection["filters"] == {"status__exact": ["not_reached"]}
    assert (action.total, action.done_count) == (6, 6)
    event = AuditEvent.objects.get(action="export")
    assert event.actor == user
    assert event.count == 6
    assert event.details["columns"] == ["phone_number", "contact:email"]
    assert event.details["filters"] == {"status__exact": ["not_reached"]}
    page = client.get(response.url).content.decode()
    assert f'href="{log_url(status__exact="not_reached")}"' in page
    assert "Can be downloaded until" in page


def test_ticked_rows_are_exported_alone(client, six):
    from campaigns.models import SentMessage

    sign_in_superuser(client)
    chosen = list(SentMessage.objects.filter(phone_number__in=[number(2), number(7)]).values_list("pk", flat=True))
    url = client.post(log_url(), {"action": "export", "_selected_action": chosen}).url
    assert "2 messages will be written" in text_of(client.get(url))
    client.post(url, {"format": "csv", "columns": ["phone_number"]})
    assert rows(BulkAction.objects.get())[1:] == [[number(2)], [number(7)]]


def test_without_a_column_nothing_is_exported(client, six):
    sign_in_superuser(client)
    page = client.post(export_url(), {"format": "csv"})
    assert "Choose at least one column." in text_of(page)
    page = client.post(export_url(), {"format": "pdf", "columns": ["id"]})
    assert page.context["form"].errors["format"]
    assert not BulkAction.objects.exists()


@pytest.mark.parametrize("filters", [{"status__exact": "nonsense"}, {"ids": "1,x"}])
def test_an_address_that_means_nothing_is_refused(client, filters):
    sign_in_superuser(client)
    assert client.get(export_url(**filters)).status_code == 400


def test_more_than_excel_holds_is_refused_before_it_begins(client, six, monkeypatch):
    from campaigns.admin import log_export

    monkeypatch.setattr(log_export, "MOST_XLSX_ROWS", 3)
    sign_in_superuser(client)
    page = client.post(export_url(), {"format": "xlsx", "columns": ["id"]})
    assert "An Excel file can hold 2 rows at most" in text_of(page)
    assert not BulkAction.objects.exists()


def test_the_file_can_be_had_for_its_time_and_is_gone_then(client, six, media):
    sign_in_superuser(client)
    client.post(export_url(), {"format": "csv", "columns": ["id"]})
    action = BulkAction.objects.get()
    file_url = reverse("admin:campaigns_bulkaction_file", args=[action.pk])
    assert client.get(file_url).status_code == 200
    BulkAction.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(file_url).status_code == 404
    bulk.prune_exports()
    assert list(media.iterdir()) == []
