"""What each column of a file is taken for."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.importing.columns import Columns, find_layout, find_phone_columns
from campaigns.importing.errors import FileRefused
from campaigns.importing.tables import Reading, Row


def columns(*headers: str) -> Columns:
    return find_layout([Row(1, list(headers))], "RU", Reading()).columns


@pytest.mark.parametrize(
    "header",
    [
        "phone", "Phone", "PHONE NUMBER", "phone_number", "Phone-No.", "mobile", "Mobile phone", "tel", "Tel.",
        "telephone", "cell", "MSISDN", "телефон", "Телефон:", "ТЕЛЕФОНЫ", "Номер телефона", "номер", "Моб. телефон",
        "моб", "сотовый", "Контактный телефон", "Телефон клиента (моб.)", "Customer phone", "number",
    ],
)  # fmt: skip
def test_the_phone_column_is_found_under_its_many_names(header: str) -> None:
    assert columns("Имя", header).phones == (1,)


@pytest.mark.parametrize("header", ["telephoned", "Номер заказа", "номерной знак", "Отель", "microphone stand", ""])
def test_other_names_are_no_phone_columns(header: str) -> None:
    assert find_phone_columns(["Имя", header]) == []


@pytest.mark.parametrize(
    ("headers", "best"),
    [
        (["Номер", "Телефон"], 1),
        (["Тип телефона", "Телефон"], 1),
        (["Телефон", "Мобильный"], 1),
        (["Mobile operator", "phone"], 1),
        (["Phone", "Phone 2"], 0),
    ],
)
def test_of_several_the_one_that_says_it_best_comes_first(headers: list[str], best: int) -> None:
    assert columns(*headers).phones[0] == best


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("Имя", "first_name"),
        ("First Name", "first_name"),
        ("name", "first_name"),
        ("ФАМИЛИЯ", "last_name"),
        ("surname", "last_name"),
        ("E-mail", "email"),
        ("Эл. почта", "email"),
        ("Язык", "language"),
        ("time_zone", "time_zone"),
        ("Часовой пояс", "time_zone"),
    ],
)
def test_fields_are_found_in_english_and_russian(header: str, name: str) -> None:
    assert columns("phone", header).fields == {name: 1}


def test_unknown_columns_are_attributes_under_their_headers() -> None:
    found = columns("phone", "  Дата  рождения ", "Ünïcode", "{{ odd|name }}", "")
    assert found.attributes == {1: "Дата_рождения", 2: "Ünïcode", 3: "oddname", 4: "column_5"}


def test_equal_headers_are_numbered_without_regard_to_case() -> None:
    assert columns("phone", "City", "city", "CITY").attributes == {1: "City", 2: "city_2", 3: "CITY_3"}


def test_a_second_column_for_the_same_field_is_an_attribute() -> None:
    found = columns("phone", "email", "e-mail")
    assert found.fields == {"email": 1}
    assert found.attributes == {2: "e-mail"}


def test_what_was_added_to_downloaded_bad_rows_is_passed_over() -> None:
    found = columns("phone", "city", "Import error: row", "Import error: column", "Import error: reason")
    assert found.attributes == {1: "city"}
    assert found.ignored == {2, 3, 4}


def test_a_first_row_with_a_number_is_no_header() -> None:
    found = columns("Иван", "8 912 123-45-67", "Уфа")
    assert found.headers == ()
    assert found.phones == (1,)
    assert found.attribute(2) == "column_3"


def test_without_any_the_headers_are_named_but_not_at_length() -> None:
    with pytest.raises(FileRefused) as refused:
        columns("x" * 1000, *(f"header {n}" for n in range(100)))
    assert "“header 1”" in str(refused.value)
    assert len(str(refused.value)) < 500


# --- where the columns' names are --------------------------------------------------------------------------------


def layout(*rows: str, **reading: Any) -> tuple[int, tuple[int, ...]]:
    """Number of the header row and positions of the phones; cells are separated by bars."""
    head = [Row(number, row.split("|")) for number, row in enumerate(rows, start=1)]
    found = find_layout(head, "RU", Reading(**reading))
    return found.header_row, found.columns.phones


def test_titles_above_the_names_are_passed_over() -> None:
    assert layout("Список телефонов", "на 1 мая|", "id|Телефон|Имя", "1|89121234567|Анна") == (3, (1,))


def test_a_row_with_a_number_is_no_header_whatever_words_are_in_it() -> None:
    assert layout("89121234567|Anna|mobile", "89121234568|Vera|mobile") == (0, (0,))


def test_names_below_the_first_contact_are_no_header() -> None:
    assert layout("89121234567|Anna", "phone|name") == (0, (0,))


def test_a_header_that_is_said_is_taken_and_its_numbers_are_found_by_looking() -> None:
    assert layout("wer|wo", "Anna|89121234567", header_row=1) == (1, (1,))
    assert layout("phone|name", "89121234567|Anna", header_row=0) == (0, (0,))


def test_columns_that_are_said_are_taken() -> None:
    uses = [{"use": "attribute", "name": "x y"}, {"use": "second_phone"}, {"use": "phone_number"}, {"use": "ignored"}]
    found = find_layout([Row(1, ["a", "b", "c", "d"])], "RU", Reading(header_row=1, columns=uses)).columns
    assert found.phones == (2, 1)
    assert found.attributes == {0: "x_y", 1: "b"}
    assert found.ignored == frozenset({3})
    with pytest.raises(FileRefused, match="Say which column"):
        find_layout([Row(1, ["a"])], "RU", Reading(columns=[{"use": "ignored"}]))
