"""The recipient files of GOV.UK Notify's own tests are read as they say, but for what is named here."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from campaigns.models import ContactImport, ContactImportRow, ImportStatus, RowKind
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .conftest import Start

VECTORS = Path(__file__).resolve().parents[4] / "shared" / "vectors" / "recipients_csv_notify.json"

_ROWS = "rows are numbered as spreadsheets and editors do it: blank lines at the start count"
_DRAMA = "07700 900xxx is set aside for fiction: no such number exists, so the row is bad"
_PHONES = "of several columns with phone numbers the first that is filled counts; no column makes a file unreadable"
_BLANK = "a blank line is no row"
#: What is read otherwise on purpose: the case, what of it differs, and why.
DIFFERENCES: dict[str, dict[str, str]] = {
    "get_rows_2": {"rows": _ROWS, "bad": _ROWS},
    "get_rows_10": {"rows": _ROWS},
    "column_headers_1": {"rows": _ROWS, "bad": _DRAMA, "numbers": _DRAMA},
    "international_1": {"rows": _ROWS},
    "landline_0": {"rows": _ROWS, "bad": _ROWS},
    "landline_1": {"rows": _ROWS},
    "guestlist_0": {"rows": _ROWS, "bad": _DRAMA, "numbers": _DRAMA},
    "guestlist_1": {"rows": _ROWS, "bad": _DRAMA, "numbers": _DRAMA},
    "leading_ws_000A": {"rows": _ROWS},
    "leading_ws_000D": {"rows": _ROWS},
    "leading_ws_0020_000A_000D_0009_000A_000D_180E_200B_": {"rows": _ROWS},
    "dup_col_phonenumber": {"numbers": _PHONES},
    "dup_col_p h o n e  n u m b e r": {"numbers": _PHONES},
    "too_many_for_today": {"headers": "a column without name and values is no column"},
    "blank_line_middle": {"rows": _BLANK, "numbers": _BLANK, "values": _BLANK},
    "tab_file": {"headers": "files with tabs are read", "numbers": "files with tabs are read"},
    "bad_numbers": {
        "bad": "dots between the digits are read over, as in 07900.900.460",
        "numbers": "dots between the digits are read over, as in 07900.900.460",
    },
}


def cases() -> list[Any]:
    if not VECTORS.exists():
        return [pytest.param(None, marks=pytest.mark.skip(f"{VECTORS} is not there"))]
    found = json.loads(VECTORS.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=case["id"]) for case in found]


def key(name: str) -> str:
    """How Notify compares names of columns."""
    return re.sub(r"[ _-]", "", name).lower()


def values_of(row: ContactImportRow, contact_import: ContactImport) -> dict[str, str]:
    """The cells of a row by the names of their columns, whatever they became."""
    if row.kind == RowKind.BAD:
        return dict(zip(map(key, contact_import.columns["headers"]), row.cells, strict=False))
    fields = {column["use"]: key(column["header"]) for column in contact_import.columns["list"]}
    own = {fields[name]: value for name, value in row.values.items() if name in fields}
    return own | {key(name): value for name, value in row.values.get("attributes", {}).items()}


def as_read(contact_import: ContactImport) -> dict[str, Any]:
    rows = list(contact_import.rows.order_by("number"))
    return {
        "headers": list(dict.fromkeys(contact_import.columns.get("headers", []))),
        "rows": [row.number for row in rows],
        "bad": [row.number for row in rows if row.kind == RowKind.BAD],
        "numbers": [row.phone_number for row in rows],
        "values": [values_of(row, contact_import) for row in rows],
    }


def number(recipient: str) -> str:
    try:
        return parse(recipient, "GB").e164
    except InvalidPhoneNumber:
        return recipient


def as_expected(case: dict[str, Any]) -> dict[str, Any]:
    expected = case["expected"]
    rows = expected["rows"]
    bad = [row["spreadsheet_row"] for row in rows if row["bad_recipient"]]
    numbers = ["" if row["bad_recipient"] or row["recipient"] is None else number(row["recipient"]) for row in rows]
    return {
        "headers": expected["column_headers"],
        "rows": [row["spreadsheet_row"] for row in rows],
        "bad": bad,
        "numbers": numbers,
        "values": [
            {name: value for name, value in row["personalisation"].items() if value and name != "phonenumber"}
            for row in rows
        ],
    }


@pytest.mark.parametrize("case", cases())
def test_a_file_of_notify_is_read_as_it_says(case: dict[str, Any], checked: Start) -> None:
    contact_import = checked(case["csv"].encode(), region="GB")
    got, wanted = as_read(contact_import), as_expected(case)
    got["values"] = [
        {name: value for name, value in values.items() if name in expected}
        for values, expected in zip(got["values"], wanted["values"], strict=False)
    ]
    differing = {part for part in wanted if got[part] != wanted[part]}
    assert differing == set(DIFFERENCES.get(case["id"], {})), (got, wanted)
    if not wanted["rows"]:
        assert contact_import.status == ImportStatus.REFUSED
