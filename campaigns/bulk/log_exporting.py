"""
The delivery log in a file: columns of the messages, and of the contacts that they went to, as they are today.

It is walked in the order in which it was written, by the same indexes as its pages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import log, masking
from campaigns.attributes import known_attributes, taken
from campaigns.composing import as_text
from campaigns.models import BulkAction, Contact, MessageStatus, Purpose, SentMessage, User
from campaigns.prices import price_table
from campaigns.reports import reason_label
from campaigns.resources import ContactResource

from .exporting import TABLES, groups_of
from .files import Cell
from .lists import SelectionError, register_list

LIST = SentMessage._meta.model_name or ""
#: Names of columns that are no columns of the message: a field of its contact, and an attribute of it.
CONTACT = "contact:"
ATTRIBUTE = "attribute:"


@dataclass(frozen=True)
class Column:
    """A column of the message. `cell` makes its cell of what was read, `needs`, and the words of the table."""

    label: str | Promise
    needs: tuple[str, ...]
    cell: Callable[[dict[str, Any], LogTable], Cell]
    is_moment: bool = False


def _plain(name: str) -> Callable[[dict[str, Any], Any], Cell]:
    return lambda message, _table: message[name] if message[name] is not None else ""


def _moment(name: str) -> Callable[[dict[str, Any], Any], Cell]:
    return lambda message, _table: _local(message[name])


def _word(name: str) -> Callable[[dict[str, Any], Any], Cell]:
    return lambda message, table: table.words[name].get(message[name], message[name])


def _amount(name: str) -> Callable[[dict[str, Any], Any], Cell]:
    return lambda message, _table: "" if message[name] is None else f"{message[name].normalize():f}"


def _local(value: Any) -> str:
    return str(timezone.localtime(value).replace(microsecond=0, tzinfo=None)) if value else ""


def _name(message: dict[str, Any], _table: Any) -> Cell:
    return f"{message['contact__first_name'] or ''} {message['contact__last_name'] or ''}".strip()


def _why(message: dict[str, Any], _table: Any) -> Cell:
    reason = reason_label(message["reason"]) if message["reason"] else ""
    return ": ".join(part for part in (reason, masking.in_text(message["reason_text"])) if part)


def _currency(message: dict[str, Any], table: LogTable) -> Cell:
    return message["currency"] or table.currency(message["gateway"])


COLUMNS: dict[str, Column] = {
    "id": Column(_("id"), ("id",), _plain("id")),
    "created_at": Column(_("created"), ("created_at",), _moment("created_at"), is_moment=True),
    "phone_number": Column(
        _("phone number"), ("phone_number",), lambda message, _table: masking.number(message["phone_number"])
    ),
    "name": Column(_("name"), ("contact__first_name", "contact__last_name"), _name),
    "campaign": Column(_("campaign"), ("campaign__name",), _plain("campaign__name")),
    "purpose": Column(_("purpose"), ("purpose",), _word("purpose")),
    "status": Column(_("status"), ("status",), _word("status")),
    "reason": Column(_("reason"), ("reason", "reason_text"), _why),
    "body": Column(_("text"), ("body",), lambda message, _table: masking.text(message["body"])),
    "segment_count": Column(_("segments"), ("segment_count",), _plain("segment_count")),
    "gateway": Column(_("gateway"), ("gateway",), _plain("gateway")),
    "sender_id": Column(_("sender"), ("sender_id",), _plain("sender_id")),
    "sent_at": Column(_("sent"), ("sent_at",), _moment("sent_at"), is_moment=True),
    "status_at": Column(_("last change"), ("status_at",), _moment("status_at"), is_moment=True),
    "reference": Column(_("our reference"), ("reference",), _plain("reference")),
    "provider_message_id": Column(_("provider's message id"), ("provider_message_id",), _plain("provider_message_id")),
    "price": Column(_("expected price"), ("price",), _amount("price")),
    "cost": Column(_("cost"), ("cost",), _amount("cost")),
    "currency": Column(_("currency"), ("currency", "gateway"), _currency),
}


def contact_columns() -> dict[str, str]:
    """What else can be had of a contact: its own fields, then the defined ones. Name of the column -> label."""
    own = [name for name in ContactResource().get_export_order() if name not in {"phone_number", "attributes"}]
    labels = {CONTACT + name: str(Contact._meta.get_field(name).verbose_name) for name in own}  # type: ignore[union-attr]
    return labels | {ATTRIBUTE + attribute.name: str(attribute) for attribute in known_attributes()}


class LogTable:
    """The delivery log, in words and in the time zone of whoever asked."""

    def __init__(self) -> None:
        self.words: dict[str, dict[str, str]] = {
            name: {value: str(label) for value, label in choices.choices}
            for name, choices in {"purpose": Purpose, "status": MessageStatus}.items()
        }
        self._currencies: dict[str, str] = {}

    def columns(self, parameters: Mapping[str, Any]) -> list[str]:
        """Those that were chosen and are still there; all of the message's where nothing was chosen."""
        known = [*COLUMNS, *contact_columns()]
        chosen = parameters.get("columns")
        return list(COLUMNS) if chosen is None else [name for name in known if name in chosen]

    def header(self, columns: Sequence[str]) -> list[Cell]:
        labels = contact_columns()
        return [self._head(name, labels) for name in columns]

    def _head(self, name: str, labels: Mapping[str, str]) -> str:
        if name.startswith(ATTRIBUTE):
            return name.removeprefix(ATTRIBUTE)
        if name.startswith(CONTACT):
            return _t("contact: %(field)s") % {"field": labels[name]}
        column = COLUMNS[name]
        zone = timezone.get_current_timezone_name()
        return (
            _t("%(when)s (%(zone)s)") % {"when": column.label, "zone": zone} if column.is_moment else str(column.label)
        )

    def rows(self, ids: list[int], columns: Sequence[str]) -> list[list[Cell]]:
        """Without models: a log has many rows."""
        own = [COLUMNS[name] for name in columns if name in COLUMNS]
        needed = {"id", "contact_id"}.union(*(column.needs for column in own))
        found = {row["id"]: row for row in SentMessage.objects.filter(pk__in=ids).order_by().values(*sorted(needed))}
        messages = [found[pk] for pk in ids if pk in found]
        about = _Contacts(columns, {message["contact_id"] for message in messages})
        return [
            [
                COLUMNS[name].cell(message, self) if name in COLUMNS else about.cell(message["contact_id"], name)
                for name in columns
            ]
            for message in messages
        ]

    def currency(self, gateway: str) -> str:
        if gateway not in self._currencies:
            self._currencies[gateway] = price_table(gateway).currency
        return self._currencies[gateway]


class _Contacts:
    """What the columns say of these contacts. Nobody: all cells are empty."""

    def __init__(self, columns: Sequence[str], ids: set[int | None]) -> None:
        self._fields = [name.removeprefix(CONTACT) for name in columns if name.startswith(CONTACT)]
        self._stored = [name for name in self._fields if name != "groups"]
        self._with_attributes = any(name.startswith(ATTRIBUTE) for name in columns)
        self._rows: dict[int, dict[str, Any]] = {}
        if self._fields or self._with_attributes:
            wanted = [pk for pk in ids if pk is not None]
            contacts = Contact.objects.filter(pk__in=wanted).order_by()
            self._rows = {row["id"]: row for row in contacts.values("id", "attributes", *self._stored)}
            if "groups" in self._fields:
                for pk, names in groups_of(wanted).items():
                    self._rows[pk]["groups"] = names

    @cached_property
    def _resource(self) -> ContactResource:
        return ContactResource()

    def cell(self, contact: int | None, name: str) -> Cell:
        row = self._rows.get(contact or 0)
        if row is None:
            return ""
        if name.startswith(ATTRIBUTE):
            return as_text(taken(dict(row["attributes"]), name.removeprefix(ATTRIBUTE)))
        field = name.removeprefix(CONTACT)
        value = row.get(field)
        if isinstance(value, str) or value is None:
            return value or ""
        return str(self._resource.columns[field].widget.render(value) or "")


def _rows(filters: Mapping[str, Any], _user: User | None) -> QuerySet[SentMessage]:
    return SentMessage.objects.filter(_read(filters).condition())


def _read(filters: Mapping[str, Any]) -> log.LogFilters:
    try:
        return log.read(filters)
    except log.FilterError as error:
        raise SelectionError(_t("The filters of the list cannot be used any more.")) from error


def walk(action: BulkAction, size: int) -> list[int]:
    """The next ids in the order of the log, without those that came after the export was asked for."""
    filters, newest = _read(action.selection.get("filters") or {}), action.selection["up_to"]
    last = action.cursor
    while found := log.ids_behind(filters, last, size):
        if ids := [pk for pk in found if pk <= newest]:
            return ids
        last = found[-1]
    return []


TABLES[LIST] = LogTable
register_list(LIST, _rows, walk)
