"""A check that goes on in an Excel sheet reads only what it has not read, and comes to the same."""

from __future__ import annotations

import io
from typing import BinaryIO

import openpyxl
import pytest

from campaigns.importing import checking, sheet_parts, spreadsheets
from campaigns.importing.sheet_parts import PartFromRow
from campaigns.importing.spreadsheets import open_workbook

HEAD = '<?xml version="1.0" encoding="UTF-8"?><worksheet><sheetData>'
TAIL = "</sheetData></worksheet>"


def sheet(numbers: range, *, tag: str = "row", after: str = TAIL) -> bytes:
    rows = "".join(f'<{tag} spans="1:2" r="{n}"><c><v>{n * "9"}</v></c></{tag}>' for n in numbers)
    head = HEAD.replace("sheetData", tag.replace("row", "sheetData"))
    return f"{head}{rows}{after}".encode()


@pytest.mark.parametrize("block", [64, 100, 1000, 1 << 18])
@pytest.mark.parametrize("number", [1, 2, 17, 49])
def test_the_rows_before_are_left_out_wherever_blocks_end(
    monkeypatch: pytest.MonkeyPatch, block: int, number: int
) -> None:
    monkeypatch.setattr(sheet_parts, "_BLOCK_BYTES", max(block, len(HEAD) + 5))
    part = PartFromRow(io.BytesIO(sheet(range(1, 51))), number)
    content = b""
    while piece := part.read(7):
        content += piece
    assert content == sheet(range(number + 1, 51))


def test_names_with_a_prefix_are_known() -> None:
    content = PartFromRow(io.BytesIO(sheet(range(1, 9), tag="x:row")), 5).read()
    assert content == sheet(range(6, 9), tag="x:row")


def test_behind_the_last_row_there_is_none_to_go_on_from() -> None:
    assert PartFromRow(io.BytesIO(sheet(range(1, 9))), 8).read() == sheet(range(8, 9))


@pytest.mark.parametrize(
    "content",
    [
        HEAD.encode() + b"<row ><c/></row>" * 9 + TAIL.encode(),
        sheet(range(1, 9)).replace(b"</row>", b"<!-- <row r='99'> --></row>"),
        sheet(range(1, 9)).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        b"<worksheet><sheetData/></worksheet>",
    ],
)
def test_what_cannot_be_told_apart_is_read_from_the_beginning(content: bytes) -> None:
    assert PartFromRow(io.BytesIO(content), 5).read() == content


def test_a_row_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_parts, "_LONGEST_ROW_BYTES", 1000)
    content = sheet(range(1, 2), after="x" * 600_000)
    assert PartFromRow(io.BytesIO(content), 5).read() == content


def workbook(rows: int) -> bytes:
    book = openpyxl.Workbook()
    people = book.create_sheet("People", 0)
    people.append(["phone", "name"])
    for n in range(rows):
        if n % 10:  # some rows are missing
            people.cell(n + 2, 1, f"+7912{n:07d}")
            people.cell(n + 2, 2, f"Name <row r='5'> {n}")
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


@pytest.mark.parametrize("after", [0, 1, 2, 57, 199, 200, 201, 500])
def test_rows_after_one_are_those_that_reading_all_gives(after: int) -> None:
    table = open_workbook(io.BytesIO(workbook(200)))
    assert table.rows_after is not None
    assert list(table.rows_after(after)) == [row for row in table.rows() if row.number > after]


@pytest.mark.django_db
def test_a_check_in_many_runs_comes_to_what_one_run_does(checked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 7)
    check = checking.check
    opened: list[int] = []

    class Noted(PartFromRow):
        def __init__(self, part: BinaryIO, number: int) -> None:
            opened.append(number)
            super().__init__(part, number)

    monkeypatch.setattr(spreadsheets, "PartFromRow", Noted)

    def in_many_runs(pk: int, *, seconds: float | None = None) -> bool:
        while check(pk, seconds=0):
            pass
        return False

    monkeypatch.setattr("campaigns.importing.check", in_many_runs)
    contact_import = checked(workbook(60), file_name="people.xlsx")
    assert opened, "it went on from where it was"
    assert (contact_import.new_count, contact_import.status) == (54, "checked")
    assert list(contact_import.rows.order_by("number").values_list("number", flat=True)) == [
        n + 2 for n in range(60) if n % 10
    ]
