"""What is no contact file is refused with a clear sentence, and nothing is lost."""

from __future__ import annotations

import io
import random
import zipfile

import openpyxl
import pytest

from campaigns.importing import limits
from campaigns.importing.errors import FileRefused
from campaigns.importing.reading import open_table
from campaigns.models import Contact, ContactImport, ImportStatus

from .conftest import Start, binary

JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01" + bytes(range(256)) * 40


def refusal(content: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        list(open_table(io.BytesIO(content)).rows())
    return str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b" \r\n\r\n\t ", "empty"),
        (JPEG, "JPEG"),
        (b"%PDF-1.7\n1 0 obj", "PDF"),
        (b'{"phone": "+79121234567"}', "JSON"),
        (b'\xef\xbb\xbf[{"phone": "+79121234567"}]', "JSON"),
        (b"<!DOCTYPE html><table><tr><td>phone", "HTML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "damaged"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "not a table"),
    ],
)
def test_other_kinds_of_files_are_named_for_what_they_are(content: bytes, words: str) -> None:
    assert words in refusal(content)


def test_ten_megabytes_of_noise_are_refused() -> None:
    assert "not a table" in refusal(random.Random(1).randbytes(10 * 1024 * 1024))


def test_ten_megabytes_of_letters_without_a_line_end_are_refused() -> None:
    assert "no end" in refusal(b"abcdefgh" * (10 * 1024 * 1024 // 8))


def test_ten_megabytes_of_words_are_refused_for_want_of_a_phone_column_in_a_short_sentence(checked: Start) -> None:
    contact_import = checked(("noise " * 50 + "\n").encode() * 35_000)
    assert contact_import.status == ImportStatus.REFUSED
    assert "No column with phone numbers" in contact_import.problem
    assert len(contact_import.problem) < 300


def test_a_cell_without_end_is_refused() -> None:
    assert "quotation mark" in refusal(b'phone;note\n1;"' + b"x" * 200_000 + b'"\n')


def test_too_many_bytes_columns_or_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_ROWS", 3)
    assert "more than 3 rows" in refusal(b"phone\n" + b"89121234567\n" * 4)
    assert len(list(open_table(binary("phone\n" + "89121234567\n" * 3)).rows())) == 4
    assert "columns" in refusal(b"phone" + b";x" * limits.MAX_COLUMNS + b"\n")
    monkeypatch.setattr(limits, "MAX_FILE_BYTES", 10)
    assert "too large" in refusal(b"phone\n89121234567\n")


def archive(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, content in parts.items():
            bundle.writestr(name.replace("__", "/").replace("_xml", ".xml"), content)
    return file.getvalue()


def test_archives_that_are_no_workbooks_are_refused() -> None:
    assert "not a workbook" in refusal(archive(photo=JPEG))
    assert "damaged" in refusal(b"PK\x03\x04 and nothing more")
    assert "damaged" in refusal(archive(xl__workbook_xml=b"<workbook"))


def test_a_workbook_cut_short_is_refused() -> None:
    book = openpyxl.Workbook()
    file = io.BytesIO()
    book.save(file)
    assert "damaged" in refusal(file.getvalue()[:-200])


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = archive(xl__workbook_xml=b"<workbook/>", xl__sheet_xml=bytes(limits.MIN_SUSPICIOUS_BYTES + 1))
    assert len(bomb) < 100_000
    assert "Unpacked" in refusal(bomb)


def test_an_empty_workbook_is_refused() -> None:
    file = io.BytesIO()
    openpyxl.Workbook().save(file)
    assert "empty" in refusal(file.getvalue())


def test_without_a_phone_column_the_headers_are_named_and_what_to_rename(checked: Start) -> None:
    contact_import = checked("Имя;Город\nИван;Уфа\n")
    assert contact_import.status == ImportStatus.REFUSED
    assert "“Имя”, “Город”" in contact_import.problem
    assert "“phone”" in contact_import.problem


def test_a_header_alone_is_refused(checked: Start) -> None:
    assert "no rows" in checked("phone;name\n").problem


def test_a_file_that_breaks_in_the_middle_leaves_neither_rows_nor_contacts(checked: Start) -> None:
    rows = "".join(f"8912{n:07};x\n" for n in range(1500))
    contact_import = checked(f'phone;name\n{rows}89131234567;"Ivan\n')
    assert contact_import.status == ImportStatus.REFUSED
    assert "line 1502" in contact_import.problem
    assert not contact_import.rows.exists()
    assert not Contact.objects.exists()


def test_a_refused_file_is_kept_with_its_problem(checked: Start) -> None:
    contact_import = checked(JPEG, file_name="photo.jpg")
    kept = ContactImport.objects.get(pk=contact_import.pk)
    assert kept.file.read() == JPEG
    assert "JPEG" in kept.problem
