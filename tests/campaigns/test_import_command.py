"""`manage.py import_contacts`."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from campaigns.importing import checking
from campaigns.importing.looking import signature_of
from campaigns.management.commands import import_contacts
from campaigns.models import Contact, ContactGroup, ContactImport, ImportSource, OptOut, User
from tests.campaigns.screens import check_rows
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


def test_a_dry_run_says_the_same_and_changes_nothing(run: Any) -> None:
    content = "phone;name\n89121234567;Anna\n89121234567;Olga\n123;Igor\n"
    dry = json.loads(run(content, "--json", "--dry-run", "--group", "VIP"))
    assert not Contact.objects.exists()
    assert not ContactGroup.objects.exists()
    assert "Nothing was changed" in run(content, "--dry-run")
    wet = json.loads(run(content, "--json", "--group", "VIP"))
    assert {**dry, "errors_file": ""} == {**wet, "errors_file": ""}
    assert Contact.objects.count() == 1


def test_the_rules_are_options(run: Any) -> None:
    OptOut.objects.create(phone_number="+79121234502")
    Contact.objects.create(phone_number="+79121234501", first_name="Olga")
    content = "phone,name,email\n89121234501,Anna,a@example.org\n89121234502,Vera,\n"
    options = ("--update", "empty", "--opted-out", "leave_out", "--json")
    result = json.loads(
        run(content, *options, "--consent-source", "form", "--consent-evidence", "p. 2", "--consent-date", "2026-01-31")
    )
    assert (result["changed"], result["left_out"]) == (1, 1)
    contact = Contact.objects.get()
    assert (contact.first_name, contact.email) == ("Olga", "a@example.org")
    assert (contact.consent, contact.consent_source, contact.consent_evidence) == ("given", "form", "p. 2")
    assert str(contact.consented_at).startswith("2026-01-31")
    assert "Left out, since they opted out: 1." in run(content, "--opted-out", "leave_out")


def test_nobody_is_put_into_a_smart_group_by_a_file(run: Any) -> None:
    ContactGroup.objects.create(name="Clever", conditions={})
    with pytest.raises(CommandError, match="smart group"):
        run("phone\n89121234567\n", "--group", "Clever")
    assert not Contact.objects.exists()


def test_how_the_file_is_read_can_be_said(run: Any) -> None:
    content = "Liste\nphone|name\n89121234501|Dvo\u0159\u00e1k\n".encode("cp1250")
    run(content, "--encoding", "cp1250", "--delimiter", "|", "--header-row", "2")
    assert Contact.objects.get().first_name == "Dvořák"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--consent-evidence", "x"), "--consent-source"),
        (("--consent-source", "x" * 151), "longer than 150"),
        (("--consent-source", "x", "--consent-date", "31.01.2026"), "not a day"),
        (("--delimiter", "ab"), "one character"),
        (("--encoding", "utf-16"), "not written in this encoding"),
        (("--update", "sometimes"), "invalid choice"),
    ],
)
def test_options_that_make_no_sense_are_refused_in_words(run: Any, options: tuple[str, ...], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        run("phone;name\n89121234501;Пётр\n", *options)
    assert not Contact.objects.exists()


def test_at_a_terminal_there_is_a_bar(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(import_contacts, "STEP_SECONDS", 0.0)
    monkeypatch.setattr(checking, "CHUNK_ROWS", 10)
    path, terminal = tmp_path / "many.csv", Terminal()
    path.write_text("phone\n" + "".join(f"8912{n:07}\n" for n in range(50)))
    call_command("import_contacts", str(path), stderr=terminal)
    assert "Checking [" in terminal.getvalue()
    assert "100 %" in terminal.getvalue()
    assert Contact.objects.count() == 50


def test_the_pages_and_the_command_come_to_the_same_counts(run: Any, client: Client) -> None:
    dirty = make_dirty_file(2000, seed=3)
    client.force_login(User.objects.create_superuser("root"))
    file = SimpleUploadedFile("dirty.csv", dirty.content)
    client.post("/admin/campaigns/contactimport/add/", {"file": file, "region": "RU"})
    check_rows(client)
    seen = ContactImport.objects.get()
    counted = json.loads(run(dirty.content, "--json", "--region", "RU", "--dry-run"))
    assert counted.pop("read_like") == "dirty.csv"
    assert {kind: getattr(seen, f"{kind}_count") for kind in ("new", "changed", "unchanged", "duplicate", "bad")} == {
        kind: count for kind, count in counted.items() if kind != "errors_file"
    }
    assert (seen.new_count, seen.bad_count) == (len(dirty.contacts), len(dirty.bad_rows))


# --- what is remembered of earlier files ------------------------------------------------------------------------------

CODES = "code,who\n89121234567,Anna\n89121234568,Vera\n"
SAID = [{"use": "phone_number"}, {"use": "last_name"}]


@pytest.fixture
def remembered(db: None) -> ImportSource:
    """An operator has said what these columns are."""
    reading = {"encoding": "utf-8", "columns": SAID}
    return ImportSource.objects.create(signature=signature_of(["code", "who"]), file_name="march.csv", reading=reading)


def test_a_file_with_the_same_columns_is_read_like_the_one_before(run: Any, remembered: ImportSource) -> None:
    result = json.loads(run(CODES, "--json"))
    assert (result["new"], result["read_like"]) == (2, "march.csv")
    assert set(Contact.objects.values_list("last_name", flat=True)) == {"Anna", "Vera"}
    assert "Read like “march.csv”" in run(CODES)


def test_what_is_remembered_can_be_passed_over(run: Any, remembered: ImportSource) -> None:
    result = json.loads(run(CODES, "--json", "--no-reading"))
    assert "read_like" not in result
    assert not Contact.objects.exclude(last_name="").exists()


def test_the_file_to_be_read_like_can_be_named(run: Any, remembered: ImportSource) -> None:
    assert json.loads(run(CODES, "--json", "--reading", "march.csv"))["read_like"] == "march.csv"


def test_a_file_with_other_columns_is_not_read_like_the_one_that_is_named(run: Any, remembered: ImportSource) -> None:
    with pytest.raises(CommandError, match="not those of “march.csv”. Remembered are: march.csv"):
        run("phone,who\n89121234567,Anna\n", "--reading", "march.csv")
    assert not Contact.objects.exists()
    assert ContactImport.objects.get().status == "cancelled"
    with pytest.raises(CommandError, match="not those of “april.csv”"):
        run(CODES, "--reading", "april.csv")
