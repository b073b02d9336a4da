"""Excel workbooks."""

from __future__ import annotations

import datetime
import io
from typing import Any

import openpyxl
import pytest

from campaigns.importing.reading import open_table
from campaigns.models import Contact

from .conftest import Start


def workbook(*rows: list[Any], sheets: tuple[str, ...] = ("Contacts",)) -> bytes:
    book = openpyxl.Workbook()
    book.worksheets[0].title = sheets[0]
    for name in sheets[1:]:
        book.create_sheet(name)
    for row in rows:
        book.worksheets[-1].append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def cells(content: bytes) -> list[tuple[int, list[str]]]:
    return [(row.number, row.cells) for row in open_table(io.BytesIO(content)).rows()]


def test_cells_become_the_texts_that_people_see() -> None:
    content = workbook(
        ["phone", "name"],
        [79121234567, "Иван"],
        [79121234567.0, " Пётр "],
        ["+79121234568", datetime.date(2001, 2, 3)],
        [None, True],
        ["x", 1.5],
    )
    assert cells(content) == [
        (1, ["phone", "name"]),
        (2, ["79121234567", "Иван"]),
        (3, ["79121234567", "Пётр"]),
        (4, ["+79121234568", "2001-02-03"]),
        (5, ["", "TRUE"]),
        (6, ["x", "1.5"]),
    ]


def test_rows_keep_their_numbers_in_the_sheet() -> None:
    content = workbook([], ["phone"], [], [], [89121234567])
    assert [number for number, _cells in cells(content)] == [2, 5]


def test_the_first_sheet_with_anything_in_it_is_read() -> None:
    content = workbook(["phone"], ["89121234567"], sheets=("Empty", "People"))
    assert open_table(io.BytesIO(content)).sheet == "People"


def test_hidden_sheets_are_passed_over() -> None:
    book = openpyxl.Workbook()
    book.worksheets[0].append(["secret"])
    book.create_sheet("People").append(["phone"])
    book.worksheets[0].sheet_state = "hidden"
    file = io.BytesIO()
    book.save(file)
    assert [row.cells for row in open_table(file).rows()] == [["phone"]]


@pytest.mark.parametrize(
    ("cell", "e164"),
    [(79121234567, "+79121234567"), (9121234567, "+79121234567"), (491711234567, "+491711234567")],
)
def test_numbers_that_lost_their_plus_are_found_again(imported: Start, cell: int, e164: str) -> None:
    imported(workbook(["phone"], [cell]), file_name="contacts.xlsx")
    assert str(Contact.objects.get().phone_number.as_e164) == e164


@pytest.mark.parametrize("cell", ["7,9E+10", "7.91212E+10", 7.9121e39])
def test_numbers_that_lost_digits_are_refused_and_never_guessed(imported: Start, cell: Any) -> None:
    contact_import = imported(workbook(["phone"], [cell]), file_name="contacts.xlsx")
    assert contact_import.bad_count == 1
    assert not Contact.objects.exists()
