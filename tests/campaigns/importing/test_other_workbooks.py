"""Workbooks of LibreOffice (.ods) and of old Excel versions (.xls)."""

from __future__ import annotations

import io

import pytest

from campaigns.importing import limits
from campaigns.importing.errors import FileRefused
from campaigns.importing.reading import open_table
from campaigns.importing.tables import Reading, Row
from campaigns.models import ImportStatus

from .conftest import Start
from .workbooks import OLD_EXCEL, number, ods, row, sheet, text, texts

PEOPLE = [["Телефон", "Имя"], ["+7 912 123-45-67", "Пётр"], ["+7 912 123-45-68", "Ольга"]]


def rows_of(content: bytes, reading: Reading | None = None) -> list[Row]:
    return list(open_table(io.BytesIO(content), reading).rows())


def refusal(content: bytes, reading: Reading | None = None) -> str:
    with pytest.raises(FileRefused) as refused:
        rows_of(content, reading)
    return str(refused.value)


# --- .ods ------------------------------------------------------------------------------------------------------------


def test_an_open_document_is_read_row_by_row() -> None:
    assert [r.cells for r in rows_of(ods(sheet("Люди", *texts(PEOPLE))))] == PEOPLE


def test_numbers_of_an_open_document_are_what_is_stored_and_not_what_is_shown() -> None:
    content = ods(sheet("A", row(text("phone"), text("sum")), row(number(79121234567.0, "7,9E+10"), number(1.5))))
    assert rows_of(content)[1].cells == ["79121234567", "1.5"]


def test_repeated_rows_and_cells_are_as_many_as_they_say_and_keep_their_numbers() -> None:
    content = ods(
        sheet("A", row(text("phone"), text("a", 2)), row(text("", 5), repeated=3), row(text("1"), repeated=2))
    )
    assert rows_of(content) == [Row(1, ["phone", "a", "a"]), Row(5, ["1"]), Row(6, ["1"])]


def test_dates_yes_or_no_white_space_and_remarks_are_read_as_they_are_shown() -> None:
    cells = (
        '<table:table-cell office:value-type="date" office:date-value="2026-01-31T00:00:00"><text:p>31.01</text:p>'
        "</table:table-cell>"
        '<table:table-cell office:value-type="boolean" office:boolean-value="true"><text:p>WAHR</text:p>'
        "</table:table-cell>"
        '<table:table-cell office:value-type="string"><office:annotation><text:p>a remark</text:p></office:annotation>'
        "<text:p>a<text:s text:c='2'/>b<text:line-break/>c "
        "<office:annotation><text:p>x</text:p></office:annotation><text:span>d</text:span></text:p><text:p>e</text:p>"
        "</table:table-cell>"
    )
    assert rows_of(ods(sheet("A", row(cells))))[0].cells == ["2026-01-31", "TRUE", "a  b\nc d\ne"]


def test_hidden_and_empty_sheets_are_passed_over_and_the_others_can_be_chosen() -> None:
    content = ods(
        sheet("Hidden", *texts([["phone"], ["1"]]), style="gone"),
        sheet("Empty", row(text(""))),
        sheet("First", *texts([["phone"], ["2"]])),
        sheet("Second", *texts([["phone"], ["3"]])),
    )
    table = open_table(io.BytesIO(content))
    assert (table.sheet, table.sheets) == ("First", ("Empty", "First", "Second"))
    assert rows_of(content, Reading(sheet="Second"))[1].cells == ["3"]
    assert "no sheet “Third”" in refusal(content, Reading(sheet="Third"))


def test_a_million_columns_or_rows_are_refused_without_being_made() -> None:
    assert "columns" in refusal(ods(sheet("A", row(text("x", 1_000_000)))))
    assert "more than" in refusal(ods(sheet("A", row(text("x"), repeated=limits.MAX_ROWS + 5))))
    assert rows_of(ods(sheet("A", row(text("x"), text("", 1_000_000)))))[0].cells == ["x"]


def test_a_document_with_entities_is_refused() -> None:
    bomb = '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb">]><office:document-content>'
    assert "damaged" in refusal(ods(sheet("A", *texts(PEOPLE)), head=bomb))


def test_a_cut_document_is_refused() -> None:
    assert "damaged" in refusal(ods(sheet("A", *texts(PEOPLE)))[:-300])


def test_an_open_document_becomes_contacts(imported: Start) -> None:
    contact_import = imported(ods(sheet("Люди", *texts(PEOPLE))), file_name="people.ods")
    assert (contact_import.status, contact_import.new_count) == (ImportStatus.DONE, 2)
    assert contact_import.columns["sheet"] == "Люди"


# --- .xls ------------------------------------------------------------------------------------------------------------


def test_an_old_workbook_is_read_with_its_numbers_dates_and_row_numbers() -> None:
    table = open_table(OLD_EXCEL.open("rb"))
    assert (table.sheet, table.sheets) == ("Клиенты", ("Пустой", "Клиенты"))
    assert list(table.rows()) == [
        Row(1, ["Телефон", "Имя", "Дата", "Сумма", "Да"]),
        Row(2, ["79121234567", "Пётр", "2026-01-31", "1.5", "TRUE"]),
        Row(4, ["+7 912 123-45-68", "Ольга"]),
        Row(5, ["9121234569"]),
    ]


def test_a_hidden_sheet_of_an_old_workbook_can_be_named() -> None:
    assert rows_of(OLD_EXCEL.read_bytes(), Reading(sheet="Скрытый"))[1].cells == ["+79120000000"]
    assert "no sheet" in refusal(OLD_EXCEL.read_bytes(), Reading(sheet="Нет"))


def test_a_damaged_old_workbook_is_refused() -> None:
    content = OLD_EXCEL.read_bytes()
    assert "damaged" in refusal(content[:2000])
    assert "damaged" in refusal(content[:600] + bytes(len(content) - 600))


def test_a_workbook_with_a_password_is_refused_with_that_reason() -> None:
    # What Excel wraps an encrypted .xlsx in: an OLE container with a stream of this name.
    content = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600) + "EncryptedPackage".encode("utf-16-le") + bytes(600)
    assert "password" in refusal(content)


def test_an_old_workbook_that_is_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_OLD_EXCEL_BYTES", 1000)
    assert "too large" in refusal(OLD_EXCEL.read_bytes())


def test_an_old_workbook_becomes_contacts(imported: Start) -> None:
    contact_import = imported(OLD_EXCEL.read_bytes(), file_name="contacts.xls")
    assert (contact_import.new_count, contact_import.bad_count) == (3, 0)
