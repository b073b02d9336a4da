"""What the check says of each row, before any contact is touched."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from django.utils import translation

from campaigns import importing
from campaigns.audience import opted_out_numbers
from campaigns.importing import checking
from campaigns.models import (
    Contact,
    ContactImport,
    ContactImportRow,
    ImportStatus,
    OptOut,
    RowKind,
)

from .conftest import Start


def row(contact_import: ContactImport, number: int) -> ContactImportRow:
    return contact_import.rows.get(number=number)


def counts(contact_import: ContactImport) -> dict[str, int]:
    kinds = set(RowKind.values) - {RowKind.LEFT_OUT}
    return {kind: getattr(contact_import, f"{kind}_count") for kind in RowKind.values if kind in kinds}


def test_checking_touches_no_contact(checked: Start) -> None:
    contact = Contact.objects.create(phone_number="+79121234567", first_name="Anna")
    contact_import = checked("phone,name\n89121234567,Olga\n89121234568,Ivan\n", new_group="VIP")
    assert contact_import.status == ImportStatus.CHECKED
    contact.refresh_from_db()
    assert contact.first_name == "Anna"
    assert Contact.objects.count() == 1
    assert not contact_import.groups.exists()


def test_every_row_that_is_not_blank_is_of_one_kind(checked: Start) -> None:
    Contact.objects.create(phone_number="+79121234501", first_name="Anna")
    Contact.objects.create(phone_number="+79121234502", first_name="Olga")
    contact_import = checked(
        "phone,name\n"
        "89121234501,Anna\n"
        "89121234502,Maria\n"
        "89121234503,Ivan\n"
        "\n"
        "+7 912 123-45-03,Peter\n"
        "not a number,Igor\n"
        ",\n"
    )
    assert counts(contact_import) == {"new": 1, "changed": 1, "unchanged": 1, "duplicate": 1, "bad": 1}
    assert contact_import.row_count == contact_import.rows.count() == 5


def test_a_bad_row_says_where_it_is_and_why(checked: Start) -> None:
    bad = row(checked("Имя;Телефон\nИван;89121234567\n\nОльга;12345\n"), 4)
    assert (bad.kind, bad.column) == (RowKind.BAD, "Телефон")
    assert "too short" in bad.reason
    assert bad.cells == ["Ольга", "12345"]


def test_a_number_of_forty_digits_is_bad(checked: Start) -> None:
    assert "too long" in row(checked("phone\n" + "9" * 40 + "\n"), 2).reason


def test_a_row_without_its_phone_cell_is_bad(checked: Start) -> None:
    assert "no phone number" in row(checked("name;phone\nIvan\n"), 2).reason


def test_the_first_row_of_a_number_wins_and_later_ones_name_it(checked: Start) -> None:
    contact_import = checked("phone,name\n89121234567,Anna\n+7 (912) 123-45-67,Olga\n9121234567,Vera\n")
    assert [r.kind for r in contact_import.rows.order_by("number")] == ["new", "duplicate", "duplicate"]
    assert "row 2" in row(contact_import, 4).reason


def test_a_bad_row_does_not_count_as_the_first_of_its_number(checked: Start) -> None:
    assert counts(checked("phone\n89121234567 доб. 5\n89121234567\n"))["duplicate"] == 0


def test_duplicates_are_found_across_chunks(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 2)
    contact_import = checked("phone\n89121234501\n89121234502\n89121234503\n89121234501\n89121234503\n")
    assert counts(contact_import)["duplicate"] == 2
    assert "row 2" in row(contact_import, 5).reason


def test_two_histories_of_one_number_are_the_same_number(checked: Start) -> None:
    Contact.objects.create(phone_number="+525512345678")
    assert counts(checked("phone\n+5215512345678\n+525512345678\n")) == {
        "new": 0, "changed": 0, "unchanged": 1, "duplicate": 1, "bad": 0
    }  # fmt: skip


def test_a_changed_row_keeps_what_the_contact_has_now(checked: Start) -> None:
    Contact.objects.create(phone_number="+79121234567", first_name="Anna", attributes={"City": "Уфа", "bonus": "5"})
    changed = row(checked("phone,name,last name,CITY\n89121234567,Anna,Kim,Омск\n"), 2)
    assert changed.kind == RowKind.CHANGED
    assert changed.before == {"last_name": "", "attributes": {"City": "Уфа", "bonus": "5"}}


def test_an_empty_cell_changes_nothing(checked: Start) -> None:
    Contact.objects.create(phone_number="+79121234567", first_name="Anna", attributes={"city": "Уфа"})
    assert counts(checked("phone,name,city\n89121234567,,\n"))["unchanged"] == 1


def test_national_numbers_are_those_of_the_chosen_country(checked: Start) -> None:
    contact_import = checked("phone\n0171 1234567\n", region="DE")
    assert row(contact_import, 2).phone_number == "+491711234567"


def test_opted_out_people_are_marked(checked: Start) -> None:
    OptOut.objects.create(phone_number="+79121234567")
    contact_import = checked("phone\n89121234567\n89121234568\n")
    assert counts(contact_import)["new"] == 2
    assert contact_import.opted_out_count == 1
    assert "opted out" in row(contact_import, 2).remark


@pytest.mark.parametrize(
    ("header", "cell", "words"),
    [
        ("email", "anna@", "not an e-mail address"),
        ("name", "x" * 151, "longer than 150"),
        ("language", "по-русски", "not a language"),
        ("time_zone", "Moscow", "not a time zone"),
    ],
)
def test_a_value_that_does_not_fit_is_left_out_and_the_person_is_not(
    checked: Start, header: str, cell: str, words: str
) -> None:
    contact_import = checked(f"phone;{header}\n89121234567;{cell}\n")
    good = row(contact_import, 2)
    assert good.kind == RowKind.NEW
    assert good.values == {}
    assert words in good.remark
    assert contact_import.remark_count == 1


def test_a_number_that_is_read_the_only_way_it_makes_sense_says_so(checked: Start) -> None:
    good = row(checked("phone\n491711234567\n"), 2)
    assert good.phone_number == "+491711234567"
    assert "+491711234567" in good.remark


def test_cells_beyond_the_last_header_are_kept(checked: Start) -> None:
    assert row(checked("phone;name\n89121234567;Anna;VIP\n"), 2).values == {
        "first_name": "Anna",
        "attributes": {"column_3": "VIP"},
    }


def test_where_the_first_phone_cell_is_empty_the_next_is_taken_and_none_is_lost(checked: Start) -> None:
    contact_import = checked("Телефон;Мобильный\n84951234567;89121234567\n89121234568;\n;89121234569\n")
    assert [r.phone_number for r in contact_import.rows.order_by("number")] == [
        "+79121234567", "+79121234568", "+79121234569"
    ]  # fmt: skip
    assert row(contact_import, 2).values == {"attributes": {"Телефон": "84951234567"}}
    uses = {column["header"]: column["use"] for column in contact_import.columns["list"]}
    assert uses == {"Телефон": "second_phone", "Мобильный": "phone_number"}


def test_a_file_without_a_header_gives_its_numbers(checked: Start) -> None:
    contact_import = checked("89121234567\n89121234568\nnonsense\n")
    assert counts(contact_import) == {"new": 2, "changed": 0, "unchanged": 0, "duplicate": 0, "bad": 1}
    assert row(contact_import, 1).phone_number == "+79121234567"


def test_rows_swallowed_by_a_quotation_mark_are_not_lost_in_silence(checked: Start) -> None:
    contact_import = checked(
        'phone;firm\n89121234501;"Ромашка\n89121234502;Лютик\n89121234503;Роза"\n89121234504;Мак\n'
    )
    assert counts(contact_import)["bad"] == 1
    bad = row(contact_import, 2)
    assert "quotation mark" in bad.reason
    assert "(3)" in bad.reason


def test_line_breaks_in_cells_are_fine(checked: Start) -> None:
    contact_import = checked('phone;address\n89121234501;"Уфа;\nул. Ленина, 5; кв. 3"\n')
    assert row(contact_import, 2).values["attributes"]["address"] == "Уфа;\nул. Ленина, 5; кв. 3"


def test_zero_bytes_do_not_reach_the_database(checked: Start) -> None:
    content = "phone;name\n89121234567;An\0na\n".encode("utf-16")
    assert row(checked(content), 2).values == {"first_name": "Anna"}


def test_reasons_are_in_the_language_of_whoever_uploaded_the_file(
    checked: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    with translation.override("ru"):
        contact_import = checked("phone\n89121234567\n")
    assert contact_import.language == "ru"
    ContactImport.objects.filter(pk=contact_import.pk).update(status=ImportStatus.CHECKING, cursor=0)
    contact_import.rows.all().delete()
    seen: list[str | None] = []

    def noting_the_language(numbers: Iterable[str]) -> set[str]:
        seen.append(translation.get_language())
        return set()

    monkeypatch.setattr("campaigns.importing.checking.opted_out_numbers", noting_the_language)
    with translation.override("en"):
        importing.check(contact_import.pk)
    assert seen == ["ru"]


def rows_of_numbers(count: int) -> str:
    return "phone\n" + "".join(f"8912{n:07}\n" for n in range(count))


def test_a_check_can_stop_anywhere_and_go_on(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 10)
    whole = checked(rows_of_numbers(25) + "89120000003\n")
    ContactImport.objects.filter(pk=whole.pk).update(
        status=ImportStatus.CHECKING, cursor=0, new_count=0, duplicate_count=0
    )
    whole.rows.all().delete()
    rounds = 1
    while importing.check(whole.pk, seconds=0):
        rounds += 1
    again = ContactImport.objects.get(pk=whole.pk)
    assert rounds == 4
    assert again.status == ImportStatus.CHECKED
    assert counts(again) == {"new": 25, "changed": 0, "unchanged": 0, "duplicate": 1, "bad": 0}
    assert again.rows.count() == 26


def test_of_two_checks_at_once_only_one_stores_rows(checked: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "CHUNK_ROWS", 10)
    contact_import = checked(rows_of_numbers(15))
    ContactImport.objects.filter(pk=contact_import.pk).update(status=ImportStatus.CHECKING, cursor=0, new_count=0)
    contact_import.rows.all().delete()
    target = "campaigns.importing.checking.opted_out_numbers"

    def meanwhile(numbers: Iterable[str]) -> set[str]:
        monkeypatch.setattr(target, opted_out_numbers)
        assert importing.check(contact_import.pk, seconds=0)  # the other worker is faster, and not done yet
        return opted_out_numbers(numbers)

    monkeypatch.setattr(target, meanwhile)
    assert not importing.check(contact_import.pk)
    contact_import.refresh_from_db()
    assert contact_import.status == ImportStatus.CHECKING
    assert contact_import.rows.count() == contact_import.new_count == 10
    assert not importing.check(contact_import.pk)
    assert contact_import.rows.count() == 15


def test_a_file_that_is_gone_is_said_to_be_gone(checked: Start) -> None:
    contact_import = checked(rows_of_numbers(3))
    ContactImport.objects.filter(pk=contact_import.pk).update(status=ImportStatus.CHECKING, cursor=0)
    Path(contact_import.file.path).unlink()
    assert not importing.check(contact_import.pk)
    contact_import.refresh_from_db()
    assert contact_import.status == ImportStatus.REFUSED
    assert "no longer there" in contact_import.problem


def test_a_cancelled_import_is_not_checked_on(checked: Start) -> None:
    contact_import = checked(rows_of_numbers(3))
    assert importing.cancel(contact_import)
    assert not importing.check(contact_import.pk)
    assert not importing.confirm(contact_import)
    assert not Contact.objects.exists()
