"""Text files are read whatever they were saved as."""

from __future__ import annotations

import codecs
import io
import random

import pytest

from campaigns.importing.encodings import detect_encoding
from campaigns.importing.errors import FileRefused
from campaigns.importing.reading import open_table
from campaigns.importing.tables import Reading, Row

from .conftest import binary

RUSSIAN = "Телефон;Имя;Город\r\n89121234567;Пётр;Йошкар-Ола\r\n89121234568;Мария;Уфа\r\n"
GREEK = "phone;name\r\n+306912345678;Γιώργος Παπαδόπουλος\r\n+306912345679;Ελένη Ιωάννου\r\n"
WESTERN = "phone;name;city\r\n+491711234567;Jürgen Groß;Köln\r\n+33612345678;François Lefèvre;Besançon\r\n"


def cells(file: io.BytesIO) -> list[list[str]]:
    return [row.cells for row in open_table(file).rows()]


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (RUSSIAN, "utf-8", "utf-8"),
        (RUSSIAN, "utf-8-sig", "utf-8-sig"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "utf-16", "utf-16"),
        (RUSSIAN, "utf-16-le", "utf-16-le"),
        (RUSSIAN, "utf-16-be", "utf-16-be"),
        (RUSSIAN, "koi8-r", "koi8-u"),
        (GREEK, "cp1253", "cp1253"),
        (RUSSIAN, "cp866", "cp866"),
        (WESTERN, "cp1252", "cp1252"),
        (WESTERN, "utf-8", "utf-8"),
        ("phone\n+79121234567\n", "ascii", "utf-8"),
    ],
)
def test_the_encoding_is_recognised_and_the_text_comes_out_right(text: str, encoding: str, expected: str) -> None:
    file = binary(text, encoding)
    assert detect_encoding(file) == expected
    assert cells(file) == [line.split(";") for line in text.splitlines()]


def test_utf_16_with_a_big_endian_mark_is_read() -> None:
    assert cells(io.BytesIO(codecs.BOM_UTF16_BE + RUSSIAN.encode("utf-16-be")))[1][1] == "Пётр"


@pytest.mark.parametrize("row_count", [1, 2, 3, 10, 300])
def test_windows_1251_and_1252_are_told_apart_on_lists_of_names(row_count: int) -> None:
    chance = random.Random(row_count)
    for names, encoding in (
        (["Иван", "Пётр", "Мария", "Анна", "Ольга", "Щукина", "КУЗЬМИН"], "cp1251"),
        (["René", "Müller", "José García", "Søren Kjær", "Zoë Núñez", "Jürgen Groß"], "cp1252"),
    ):
        for _ in range(10):
            rows = [f"8912{chance.randrange(10**7):07};{chance.choice(names)}" for _ in range(row_count)]
            assert detect_encoding(binary("\r\n".join(["phone;name", *rows]), encoding)) == encoding


def test_the_only_foreign_letters_may_stand_at_the_end_of_a_long_file() -> None:
    plain = "phone;name\r\n" + "89121234567;Ivan\r\n" * 30_000
    assert detect_encoding(binary(plain + "89121234568;Наталья\r\n", "cp1251")) == "cp1251"
    assert detect_encoding(binary(plain + "89121234568;Наталья\r\n", "utf-8")) == "utf-8"


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_delimiters_and_line_ends_of_all_systems_are_read(delimiter: str, line_end: str) -> None:
    text = RUSSIAN.replace(";", delimiter).replace("\r\n", line_end)
    table = open_table(binary(text))
    assert table.delimiter == delimiter
    assert list(table.rows())[1] == Row(2, ["89121234567", "Пётр", "Йошкар-Ола"])


def test_the_delimiter_is_the_one_that_finds_the_phone_column() -> None:
    text = "Имя, отчество, фамилия;Телефон\nИван, Петрович, Ким;89121234567\nАнна, Юрьевна, Цой;89121234568\n"
    assert open_table(binary(text)).delimiter == ";"


def test_commas_inside_semicolon_cells_do_not_matter() -> None:
    assert cells(binary("phone;sum\n89121234567;1,50\n89121234568;2,75\n"))[1] == ["89121234567", "1,50"]


def test_a_sep_line_decides_and_is_no_row() -> None:
    table = open_table(binary("sep=|\r\nphone|note\r\n89121234567|a;b;c;d\r\n"))
    assert [row.number for row in table.rows()] == [2, 3]
    assert list(table.rows())[1].cells == ["89121234567", "a;b;c;d"]


def test_a_single_column_is_a_table() -> None:
    assert cells(binary("phone\n+7 912 123-45-67\n")) == [["phone"], ["+7 912 123-45-67"]]


def test_blank_rows_do_not_count_and_rows_keep_the_numbers_of_their_lines() -> None:
    rows = list(open_table(binary("phone;name\n\n1;a\n;\n  ; \n\u00a0;\n2;b\n")).rows())
    assert [(row.number, row.cells) for row in rows] == [(1, ["phone", "name"]), (3, ["1", "a"]), (7, ["2", "b"])]


def test_a_row_over_several_lines_has_the_number_of_its_first() -> None:
    rows = list(open_table(binary('phone;note\n1;"one\ntwo\nthree"\n2;x\n')).rows())
    assert rows[1:] == [Row(2, ["1", "one\ntwo\nthree"], line_count=3), Row(5, ["2", "x"])]


def test_quotes_within_cells_are_read_as_excel_writes_them() -> None:
    assert cells(binary('phone;firm\n1;"ООО ""Ромашка"""\n'))[1] == ["1", 'ООО "Ромашка"']


def test_a_quote_that_is_never_closed_is_refused_with_its_line() -> None:
    table = open_table(binary('phone;name\n1;Anna\n2;"Ivan\n3;Olga\n'))
    with pytest.raises(FileRefused, match="line 3"):
        list(table.rows())


def test_a_quote_that_is_closed_much_too_late_is_refused_with_its_line() -> None:
    lines = ["phone;name", '1;"Anna', *(f"{n};x" for n in range(60)), '99;Olga"', "100;Ivan"]
    with pytest.raises(FileRefused, match="line 2"):
        list(open_table(binary("\n".join(lines))).rows())


@pytest.mark.parametrize("row_count", [1, 30])
@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("cp1250", "Łukasz Wiśniewski;Kraków"),
        ("cp1250", "Dvořák Jiří;Plzeň"),
        ("cp1250", "Đorđe Čolić;Niš"),
        ("cp1252", "Þórður Jónsson;Reykjavík"),
        ("cp1252", "João Conceição;São Paulo"),
        ("cp1252", "Søren Kjær;Århus"),
        ("cp1253", "Γιώργος Παπαδόπουλος;Αθήνα"),
        ("cp1254", "Ayşe Yılmaz;İstanbul"),
        ("cp1255", "משה כהן;ירושלים"),
        ("cp1256", "محمد أحمد;القاهرة"),
        ("cp1257", "Rūta Žukauskaitė;Šiauliai"),
        ("cp1251", "Ігор Їжак;Київ"),
        ("koi8-u", "Ігор Їжак;Київ"),
        ("cp866", "Пётр Кузьмин;Уфа"),
        ("mac_cyrillic", "Пётр Кузьмин;Уфа"),
        ("cp874", "สมชาย ใจดี;กรุงเทพ"),
        ("cp932", "山田太郎;東京都"),
        ("gb18030", "王小明;北京"),
        ("big5", "王小明;臺北"),
        ("cp949", "김철수;서울"),
    ],
)
def test_names_of_many_countries_come_out_right(encoding: str, names: str, row_count: int) -> None:
    text = "phone;name;city\r\n" + f"+491711234567;{names}\r\n" * row_count
    assert cells(binary(text, encoding))[1][1:] == names.split(";")


def test_a_list_from_all_over_western_europe_is_not_taken_for_lithuanian() -> None:
    text = "phone;name\r\n+491711234567;Zoë Núñez\r\n+491711234568;Søren Kjær\r\n"
    assert detect_encoding(binary(text, "cp1252")) == "cp1252"


def test_marks_that_cannot_be_seen_are_no_part_of_a_cell() -> None:
    assert cells(binary("\u200bphone;name\n\u2060+79121234567;\ufeffAnna\u200d\n")) == [
        ["phone", "name"],
        ["+79121234567", "Anna"],
    ]


def test_control_characters_are_taken_out_of_cells() -> None:
    others = "2;somebody else\n" * 300  # a file with many of them would be no text
    assert cells(binary("phone;name\n1;An\x1fn\x1ea\x0b\n" + others))[1] == ["1", "Anna"]


def test_an_encoding_and_a_delimiter_that_are_said_are_taken() -> None:
    file = binary("phone,a;name\n1,2;Dvo\u0159\u00e1k\n", "cp1250")
    table = open_table(file, Reading(encoding="cp1250", delimiter=";"))
    assert [row.cells for row in table.rows()] == [["phone,a", "name"], ["1,2", "Dvořák"]]
    with pytest.raises(FileRefused, match="not written in this encoding"):
        open_table(file, Reading(encoding="utf-8"))


def test_a_sep_line_after_a_byte_order_mark_decides_as_well() -> None:
    assert open_table(binary("\ufeffsep=|\r\nphone|note\r\n1|a;b\r\n")).delimiter == "|"


@pytest.mark.parametrize("row_count", [3, 30])
@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("euc_jp", "\u4f50\u85e4\u5065\u592a;\u6a2a\u6d5c\u5e02"),
        ("euc_jp", "\u5c71\u672c\u3055\u304f\u3089;\u5927\u962a"),
        ("iso8859-2", "R\u016f\u017ei\u010dka \u0160t\u011bp\u00e1n;Plze\u0148"),
        ("iso8859-2", "\u0141ukasz \u015awi\u0105tek;Krak\u00f3w"),
        ("iso8859-2", "\u0160ime Bo\u017ei\u0107;Po\u017eega"),
        ("gb18030", "\u5f20\u4f1f;\u5317\u4eac"),
        ("cp949", "\uae40\ubbfc\uc218;\uc11c\uc6b8"),
    ],
)
def test_short_lists_that_were_taken_for_others_come_out_right(encoding: str, names: str, row_count: int) -> None:
    rows = [f"8912123456{n % 10};{names}" for n in range(row_count)]
    text = "\r\n".join(["phone;name;city", *rows, ""])
    file = binary(text, encoding)
    assert text.encode(encoding).decode(detect_encoding(file)) == text
