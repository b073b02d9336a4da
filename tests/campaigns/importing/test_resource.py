"""ContactResource: export, and the export imported again."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tablib import Dataset

from campaigns.models import Contact, ContactGroup
from campaigns.resources import ContactResource, without_formula

from .conftest import Start

pytestmark = pytest.mark.django_db


def make_contact() -> Contact:
    contact = Contact.objects.create(
        phone_number="+79121234567",
        first_name="Пётр",
        email="kim@example.ru",
        attributes={"Город": "Уфа", "скидка": "10%"},
        consent="given",
        consent_kind="service",
        consented_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        consent_source="договор",
        consent_evidence="стр. 3",
    )
    contact.groups.add(ContactGroup.objects.create(name="VIP"), ContactGroup.objects.create(name="Уфа"))
    return contact


def test_the_export_has_every_column() -> None:
    make_contact()
    (row,) = ContactResource().export().dict
    assert dict(row) == {
        "phone_number": "+79121234567",
        "first_name": "Пётр",
        "last_name": "",
        "email": "kim@example.ru",
        "language": "",
        "time_zone": "Europe/Moscow",
        "attributes": '{"Город": "Уфа", "скидка": "10%"}',
        "groups": "VIP, Уфа",
        "consent": "given",
        "consent_kind": "service",
        "consented_at": "2026-01-02T03:04:05+00:00",
        "consent_source": "договор",
        "consent_evidence": "стр. 3",
    }


def test_an_export_imported_again_changes_nothing(imported: Start) -> None:
    make_contact()
    contact_import = imported(ContactResource().export().csv)
    assert contact_import.unchanged_count == contact_import.row_count == 1
    assert contact_import.remark_count == 0


def test_an_export_imported_elsewhere_gives_the_same_contacts(imported: Start) -> None:
    make_contact()
    resource = ContactResource()
    exported = resource.export()
    Contact.objects.all().delete()
    imported(exported.csv)
    again = resource.export()
    proof = {name for name in exported.headers if name.startswith("consent")}
    for column in set(exported.headers) - {"groups"} - proof:
        assert again[column] == exported[column]


def test_formulas_are_exported_as_text() -> None:
    Contact.objects.create(phone_number="+79121234567", first_name="=HYPERLINK(1)", last_name="@x")
    (row,) = ContactResource().export().dict
    assert (row["first_name"], row["last_name"]) == ("'=HYPERLINK(1)", "'@x")


@pytest.mark.parametrize(
    ("value", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+79121234567", "+79121234567"),
        ("+7 (912) 123-45-67", "+7 (912) 123-45-67"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-5", "-5"),
        ("-x", "'-x"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("Anna", "Anna"),
        ("", ""),
    ],
)
def test_only_what_a_spreadsheet_would_run_is_neutralised(value: str, safe: str) -> None:
    assert without_formula(value) == safe


def test_import_exports_own_way_in_follows_the_same_rules() -> None:
    make_contact()
    rows = Dataset(headers=["phone_number", "first_name", "email"])
    rows.append(["8 912 123-45-67", "", "new@example.ru"])
    rows.append(["8 912 123-45-68", "Olga", ""])
    rows.append(["nonsense", "Igor", ""])
    result = ContactResource("RU").import_data(rows)
    assert result.totals["invalid"] == 1
    assert sorted(Contact.objects.values_list("first_name", "email")) == [
        ("Olga", ""),
        ("Пётр", "new@example.ru"),
    ]
