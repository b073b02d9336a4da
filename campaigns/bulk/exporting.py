"""Exports: the rows of a list in a file, written in sets, kept for some days for whoever asked for it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from django.conf import settings
from django.db.models import CharField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import masking
from campaigns.attributes import known_attributes, taken
from campaigns.composing import as_text
from campaigns.models import BulkAction, Contact
from campaigns.resources import ContactResource

from .files import FORMATS, MOST_XLSX_ROWS, Cell, append, delete_file, finish, new_file_path
from .operations import Operation, register


class Table(Protocol):
    """How the rows of a list look in a file."""

    def columns(self, parameters: Mapping[str, Any]) -> list[str]:
        """Names of columns that are fixed when the export begins and must stay the same in all sets."""

    def header(self, columns: Sequence[str]) -> list[Cell]:
        """The first row."""

    def rows(self, ids: list[int], columns: Sequence[str]) -> list[list[Cell]]:
        """The rows with these ids, in their order."""


class ContactTable:
    """
    The columns of `ContactResource`, then each defined attribute, and what else there is as JSON under `attributes`.

    It can be imported again as it is.
    """

    def __init__(self) -> None:
        self.resource = ContactResource()

    def columns(self, parameters: Mapping[str, Any]) -> list[str]:
        return [attribute.name for attribute in known_attributes()]

    def header(self, columns: Sequence[str]) -> list[Cell]:
        return [*self._own(), *columns, "attributes"]

    def _own(self) -> list[str]:
        return [name for name in self.resource.get_export_order() if name != "attributes"]

    def rows(self, ids: list[int], columns: Sequence[str]) -> list[list[Cell]]:
        stored = {field.name for field in Contact._meta.concrete_fields}
        read = [name for name in self._own() if name in stored and name != "phone_number"]
        found = Contact.objects.filter(pk__in=ids).order_by("pk").annotate(e164=Cast("phone_number", CharField()))
        groups = groups_of(ids)
        rows = []
        for pk, number, attributes, *values in found.values_list("pk", "e164", "attributes", *read):
            cells = dict(zip(read, values, strict=True)) | {
                "phone_number": masking.number(number),
                "groups": groups.get(pk, ""),
            }
            rest = dict(attributes)
            defined = [as_text(taken(rest, name)) for name in columns]
            own = [self._shown(name, cells.get(name)) for name in self._own()]
            rows.append([*own, *defined, json.dumps(rest, ensure_ascii=False) if rest else ""])
        return rows

    def _shown(self, name: str, value: Any) -> Cell:
        if isinstance(value, str) or value is None:
            return value or ""
        return str(self.resource.columns[name].widget.render(value) or "")


def groups_of(ids: list[int]) -> dict[int, str]:
    """The names of the groups of these contacts, for those who are in any."""
    rows = Contact.groups.through.objects.filter(contact_id__in=ids).order_by("contactgroup__name")
    names: dict[int, list[str]] = {}
    for pk, name in rows.values_list("contact_id", "contactgroup__name"):
        names.setdefault(pk, []).append(name)
    return {pk: ", ".join(found) for pk, found in names.items()}


#: By list. `log_exporting` brings that of the delivery log.
TABLES: dict[str, type[Table]] = {"contact": ContactTable}


class Export(Operation):
    """Parameters: `format`, csv or xlsx. `progress` holds how many bytes of the file are committed."""

    key = "export"
    label = _("Export")
    permissions = {"contact": "campaigns.export_contact", "sentmessage": "campaigns.export_sentmessage"}
    chunk = 1000

    def begin(self, action: BulkAction) -> None:
        kind = FORMATS[action.parameters["format"]]
        action.file_path = new_file_path(kind.suffix)
        names = {"contact": _t("contacts"), "sentmessage": _t("messages")}
        day = timezone.localdate().isoformat()
        action.file_name = f"{names[action.list_name]} {day}{kind.suffix}"
        action.progress = {"bytes": 0, "columns": TABLES[action.list_name]().columns(action.parameters)}

    def apply(self, action: BulkAction, ids: list[int]) -> int:
        kind, columns = FORMATS[action.parameters["format"]], action.progress["columns"]
        if kind.suffix == ".xlsx" and action.done_count + len(ids) >= MOST_XLSX_ROWS:
            raise ValueError(
                _t("An Excel file can hold %(count)s rows at most. Choose CSV.")
                % {"count": number_format(MOST_XLSX_ROWS - 1, force_grouping=True)}
            )
        rows = TABLES[action.list_name]().rows(ids, columns)
        self._append(action, kind.lines(rows))
        return len(rows)

    def finish(self, action: BulkAction) -> dict[str, Any]:
        if not action.progress["bytes"]:
            self._append(action, "")  # nobody: the header alone
        finish(action.file_path, action.progress["bytes"], FORMATS[action.parameters["format"]])
        return {"expires_at": timezone.now() + timedelta(days=settings.EXPORT_KEEP_DAYS)}

    def _append(self, action: BulkAction, text: str) -> None:
        if not action.progress["bytes"]:
            table = TABLES[action.list_name]()
            text = FORMATS[action.parameters["format"]].start(table.header(action.progress["columns"])) + text
        action.progress["bytes"] = append(action.file_path, action.progress["bytes"], text)

    def discard(self, action: BulkAction) -> None:
        delete_file(action.file_path)
        BulkAction.objects.filter(pk=action.pk).update(file_path="")

    def in_words(self, action: BulkAction) -> str:
        names = {"contact": _t("contacts"), "sentmessage": _t("messages of the delivery log")}
        return _t("Export %(what)s as %(format)s") % {
            "what": names.get(action.list_name, action.list_name),
            "format": action.parameters.get("format", "").upper(),
        }


register(Export())
