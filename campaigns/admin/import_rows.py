"""The checked rows of a contact file as the preview shows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from campaigns.composing import as_text, normalise_name
from campaigns.models import Consent, Contact, ContactImport, ContactImportRow, RowKind

#: Beside the kinds, which add up to all rows, two that look at good rows only.
OPTED_OUT = "opted_out"
REMARK = "remark"
TAB_LABELS = {
    RowKind.NEW: _("New"),
    RowKind.CHANGED: _("Changed"),
    RowKind.UNCHANGED: _("Unchanged"),
    RowKind.DUPLICATE: pgettext_lazy("rows of a file", "Duplicate"),
    RowKind.BAD: _("Bad"),
    RowKind.LEFT_OUT: _("Left out"),
    OPTED_OUT: _("Opted out"),
    REMARK: _("With remarks"),
}
TAB_HELP = {
    RowKind.NEW: _("They become contacts."),
    RowKind.CHANGED: _("Contacts that get other values. An empty cell never erases anything."),
    RowKind.UNCHANGED: _("Contacts that have all of this already."),
    RowKind.DUPLICATE: _("The number stands further up in the file; only its first row counts."),
    RowKind.BAD: _("They are not imported. Download them, mend them and upload that file."),
    RowKind.LEFT_OUT: _("People who opted out: nothing of these rows is imported, and they stay opted out."),
    OPTED_OUT: _("They stay opted out, whatever the file says: they are kept out of every sending."),
    REMARK: _("They are imported; read what was left out or understood."),
}


@dataclass(frozen=True)
class Tab:
    """A kind of rows with its number."""

    key: str
    label: str
    help: str
    count: int
    is_open: bool


@dataclass(frozen=True)
class Value:
    """One field of a row; `before` is what the contact has now, None where that is the same or there is nothing."""

    label: str
    text: str
    before: str | None = None


@dataclass(frozen=True)
class ShownRow:
    """A row of the preview."""

    row: ContactImportRow
    values: list[Value]


def tabs_of(contact_import: ContactImport, wanted: str) -> list[Tab]:
    """All kinds of rows; open is the one that is wanted, else the first that has any."""
    counts = {key: getattr(contact_import, f"{key}_count") for key in TAB_LABELS}
    first = next((key for key, count in counts.items() if count), RowKind.NEW)
    chosen = wanted if wanted in counts else first
    return [
        Tab(str(key), str(label), str(TAB_HELP[key]), counts[key], key == chosen)
        for key, label in TAB_LABELS.items()
        if counts[key] or (key in RowKind.values and key != RowKind.LEFT_OUT)
    ]


def rows_of(contact_import: ContactImport, key: str) -> QuerySet[ContactImportRow]:
    """The rows under a tab, in the order of the file."""
    rows = contact_import.rows.order_by("number")
    if key == OPTED_OUT:
        return rows.filter(opted_out=True)
    return rows.exclude(remark="") if key == REMARK else rows.filter(kind=key)


def shown(row: ContactImportRow) -> ShownRow:
    """A row with its values in words."""
    return ShownRow(row, list(_values(row)))


def _values(row: ContactImportRow) -> Iterator[Value]:
    if row.kind == RowKind.BAD:
        yield from (Value("", cell) for cell in row.cells if cell)
        return
    written = row.written or {}
    if "consent" in written:
        yield Value(_t("consent"), str(Consent(written["consent"]).label), str(Consent.UNKNOWN.label))
    for name, value in row.values.items():
        if name == "attributes":
            yield from _attributes(value, row.before.get("attributes"), written.get("attributes"))
        else:
            label = str(Contact._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            yield Value(label, value, _before(row.before[name]) if name in row.before else None)


def _attributes(
    values: dict[str, Any], before: dict[str, Any] | None, written: dict[str, Any] | None
) -> Iterator[Value]:
    had = {normalise_name(name): as_text(value) for name, value in (before or {}).items()}
    gets = {normalise_name(name): as_text(value) for name, value in (written or values).items()}
    for name, value in values.items():
        old, new = had.get(normalise_name(name), ""), gets.get(normalise_name(name), "")
        differs = before is not None and old != new
        yield Value(name, as_text(value), _before(old) if differs else None)


def _before(text: str) -> str:
    return text or _t("(empty)")
