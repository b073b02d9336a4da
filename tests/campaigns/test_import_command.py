"""`manage.py import_contacts`."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from campaigns.models import Contact, ContactGroup, ContactImport
from tests.dirty_file import make_dirty_file

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def media(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Import this content; the command's output."""

    def import_contacts(content: bytes | str, *options: str) -> str:
        path = tmp_path / "contacts.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        call_command("import_contacts", str(path), *options)
        return capsys.readouterr().out

    return import_contacts


def test_the_result_is_one_line_of_json_with_these_names(run: Any) -> None:
    out = run("phone;name\n89121234567;Anna\n89121234567;Olga\n123;Igor\n", "--json")
    assert out.count("\n") == 1
    result = json.loads(out)
    assert list(result) == ["new", "changed", "unchanged", "duplicate", "bad", "errors_file"]
    assert [result[kind] for kind in ("new", "changed", "unchanged", "duplicate", "bad")] == [1, 0, 0, 1, 1]


def test_without_bad_rows_there_is_no_errors_file(run: Any) -> None:
    assert json.loads(run("phone\n89121234567\n", "--json"))["errors_file"] is None


def test_bad_rows_are_given_back_with_row_column_and_reason(run: Any) -> None:
    result = json.loads(run("Телефон;Имя\n123;Игорь\n89121234567;Анна\n=1+1;@SUM(A1)\n", "--json"))
    text = Path(result["errors_file"]).read_text(encoding="utf-8")
    assert text.startswith("\ufeff")
    header, first, second = csv.reader(text.removeprefix("\ufeff").splitlines(), delimiter=";")
    assert header[:2] == ["Телефон", "Имя"]
    assert first[:4] == ["123", "Игорь", "2", "Телефон"]
    assert "too short" in first[4]
    assert second[:2] == ["'=1+1", "'@SUM(A1)"]


def test_mended_bad_rows_can_be_imported_as_they_are(run: Any) -> None:
    result = json.loads(run("phone;name;город\n8912123456;Anna;Уфа\n", "--json"))
    mended = Path(result["errors_file"]).read_text(encoding="utf-8").replace("8912123456;", "89121234567;")
    assert json.loads(run(mended, "--json"))["new"] == 1
    contact = Contact.objects.get()
    assert (contact.first_name, contact.attributes) == ("Anna", {"город": "Уфа"})


def test_the_group_is_made_if_it_is_missing(run: Any) -> None:
    run("phone\n89121234567\n", "--group", "VIP")
    run("phone\n89121234568\n", "--group", "VIP")
    assert ContactGroup.objects.get(name="VIP").contacts.count() == 2


def test_the_region_decides_about_national_numbers(run: Any) -> None:
    run("phone\n0171 1234567\n", "--region", "de")
    assert str(Contact.objects.get().phone_number.as_e164) == "+491711234567"


def test_without_json_the_result_is_in_words(run: Any) -> None:
    out = run("phone\n89121234567\n12\n")
    assert "New: 1" in out
    assert "bad: 1" in out
    assert "-errors.csv" in out


@pytest.mark.parametrize(
    ("content", "words"),
    [("", "empty"), ("name\nAnna\n", "“name”"), (b"\xff\xd8\xff\xe0 photo", "JPEG"), ('{"a": 1}', "JSON")],
)
def test_what_cannot_be_imported_fails_with_one_sentence(run: Any, content: bytes | str, words: str) -> None:
    with pytest.raises(CommandError, match=words) as failure:
        run(content, "--group", "VIP", "--json")
    assert "\n" not in str(failure.value)
    assert not ContactGroup.objects.exists()


def test_a_missing_file_or_an_impossible_option_fails_with_one_sentence(run: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("import_contacts", str(tmp_path / "nowhere.csv"))
    with pytest.raises(CommandError, match="not a country"):
        run("phone\n89121234567\n", "--region", "XX")
    with pytest.raises(CommandError, match="longer than 150"):
        run("phone\n89121234567\n", "--group", "x" * 151)
    assert not ContactImport.objects.exists()


def test_a_dirty_file_of_ten_thousand_rows_is_accounted_for_row_by_row(run: Any) -> None:
    dirty = make_dirty_file(10_000)
    first = json.loads(run(dirty.content, "--group", "All", "--json"))
    assert dirty.row_count == 10_000
    assert {kind: first[kind] for kind in ("new", "duplicate", "bad")} == {
        "new": len(dirty.contacts), "duplicate": len(dirty.duplicates), "bad": len(dirty.bad_rows)
    }  # fmt: skip
    rows = ContactImport.objects.get().rows
    assert list(rows.filter(kind="bad").order_by("number").values_list("number", flat=True)) == dirty.bad_rows
    for number, reason in rows.filter(kind="duplicate").values_list("number", "reason"):
        assert f"row {dirty.duplicates[number]}," in reason
    stored = {
        str(contact.phone_number.as_e164): (contact.first_name, contact.last_name, contact.attributes["Город"])
        for contact in Contact.objects.iterator()
    }
    assert stored == {number: known[1:] for number, known in dirty.contacts.items()}
    assert ContactGroup.objects.get().contacts.count() == len(dirty.contacts)

    again = json.loads(run(dirty.content, "--group", "All", "--json"))
    assert (again["new"], again["changed"], again["unchanged"]) == (0, 0, len(dirty.contacts))
    assert (again["duplicate"], again["bad"]) == (first["duplicate"], first["bad"])
