"""What each column of a file is taken for."""

from __future__ import annotations

import pytest

from campaigns.importing.columns import Columns, find_columns, find_phone_columns
from campaigns.importing.errors import FileRefused


def columns(*headers: str) -> Columns:
    return find_columns(headers, "RU")


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
