"""
The one description of what a contact file holds: columns, their names in files, cleaning, comparing, and export.

`campaigns.importing` reads files of any size by it; django-import-export exports by it, and what it exported can be
imported again.
"""

from __future__ import annotations

import json
import re
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from import_export.fields import Field
from import_export.resources import ModelResource
from import_export.widgets import Widget

from sms_backends.phone_numbers import ParsedNumber, canonical, parse

from .attributes import Definitions
from .composing import normalise_name
from .contact_fields import SYNONYMS
from .models import Contact, UpdateExisting

#: A cell that begins so is run as a formula by spreadsheets.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_REMARKS_KEPT = 1000
_HARMLESS = re.compile(r"[+-]?[\d\s().,/-]*")


def without_formula(value: str) -> str:
    """`value` as a spreadsheet will show it without running it. Numbers, phone numbers included, stay as they are."""
    if value.startswith(_FORMULA_STARTS) and not _HARMLESS.fullmatch(value):
        return f"'{value}"
    return value


class PhoneWidget(Widget):  # type: ignore[misc]
    """National spellings are those of `region`. Stored in today's form where a country has changed its numbers."""

    def __init__(self, region: str | None = None) -> None:
        super().__init__()
        self.region = region

    def parse(self, value: str) -> ParsedNumber:
        """Raises InvalidPhoneNumber, which is a ValueError, with the reason in words."""
        return parse(value, self.region)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return canonical(self.parse(str(value)).e164)

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return str(getattr(value, "as_e164", value))


class TextWidget(Widget):  # type: ignore[misc]
    """A text of at most `max_length` characters."""

    def __init__(self, max_length: int) -> None:
        super().__init__()
        self.max_length = max_length

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = str(value or "").strip()
        if len(text) > self.max_length:
            raise ValueError(_("longer than %(limit)d characters") % {"limit": self.max_length})
        return text

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return without_formula(str(value or ""))


class EmailWidget(TextWidget):
    #: What nearly all addresses look like. Django's validator takes all of these, in ten times the time.
    PLAIN = re.compile(
        r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\.)+[a-z]{2,20}", re.IGNORECASE
    )

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = super().clean(value)
        if text and not self.PLAIN.fullmatch(text):
            try:
                if "@" not in text:
                    raise ValidationError("")
                validate_email(text)
            except ValidationError:
                raise ValueError(_("not an e-mail address")) from None
        return text


class LanguageWidget(TextWidget):
    """A language code, or the word for Russian or English in either language."""

    WORDS = {"русский": "ru", "рус": "ru", "russian": "ru", "rus": "ru"} | {
        "английский": "en", "англ": "en", "english": "en", "eng": "en"
    }  # fmt: skip
    CODE = re.compile(r"[a-z]{2,3}([-_][a-z]{2,4})?", re.IGNORECASE)

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = super().clean(value)
        code = self.WORDS.get(text.casefold().rstrip("."), text)
        if code and not self.CODE.fullmatch(code):
            raise ValueError(_("not a language; write a code such as ru or en"))
        return code.lower().replace("_", "-")


class TimeZoneWidget(TextWidget):
    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        text = super().clean(value)
        if text and text not in _time_zones():
            raise ValueError(_("not a time zone; write a name such as Europe/Moscow"))
        return text


@cache
def _time_zones() -> set[str]:
    return zoneinfo.available_timezones()


class AttributesWidget(Widget):  # type: ignore[misc]
    """All attributes in one cell, as JSON: what the export writes."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> dict[str, Any]:
        try:
            attributes = json.loads(value) if value else {}
        except ValueError:
            attributes = None
        if not isinstance(attributes, dict):
            raise ValueError(_("not attributes as they are exported; give each a column of its own"))
        return attributes

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return json.dumps(value, ensure_ascii=False) if value else ""


class MomentWidget(Widget):  # type: ignore[misc]
    """A point in time with its zone, as ISO 8601 has it."""

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.isoformat(timespec="seconds") if value else ""


class GroupsWidget(Widget):  # type: ignore[misc]
    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return without_formula(", ".join(sorted(group.name for group in value.all()) if value else []))


class ContactColumn(Field):  # type: ignore[misc]
    """
    A column of contact files.

    `synonyms` are headers that mean it, as `contact_fields.normalised_header()` writes them, the best first;
    `looser` are patterns for headers that are taken if no synonym is found.
    """

    def __init__(
        self,
        attribute: str,
        widget: Widget,
        synonyms: tuple[str, ...] = (),
        *,
        looser: tuple[str, ...] = (),
        readonly: bool = False,
    ) -> None:
        super().__init__(attribute=attribute, column_name=attribute, widget=widget, readonly=readonly)
        self.synonyms = (attribute.replace("_", " "), *synonyms)
        self.looser = looser


@dataclass(slots=True)
class CleanRow:
    """A row with a valid number. `values` holds what the file has, by field; `remarks` what was left out, in words."""

    number: ParsedNumber
    phone_number: str
    values: dict[str, Any] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


class ContactResource(ModelResource):  # type: ignore[misc]
    """Columns of contacts. `region` (ISO 3166-1 alpha-2): whose national spellings of numbers are understood."""

    phone_number = ContactColumn(
        "phone_number",
        PhoneWidget(),
        SYNONYMS["phone_number"],
        looser=(
            r"\b(?:mobile|cell|моб\w*|сотов\w*)\b",
            r"\b(?:(?:tele|cell|home|work|mobile)?phones?|tel|телефон\w*|тел)\b",
            r"^(?:номер|номера|number|numbers|contact|contact number|recipient|контакт|контакты|получатель)$",
        ),
    )
    first_name = ContactColumn("first_name", TextWidget(150), SYNONYMS["first_name"])
    last_name = ContactColumn("last_name", TextWidget(150), SYNONYMS["last_name"])
    email = ContactColumn("email", EmailWidget(254), SYNONYMS["email"])
    language = ContactColumn("language", LanguageWidget(10), SYNONYMS["language"])
    time_zone = ContactColumn("time_zone", TimeZoneWidget(64), SYNONYMS["time_zone"])
    attributes = ContactColumn("attributes", AttributesWidget())
    groups = ContactColumn("groups", GroupsWidget(), readonly=True)
    # Proof, not something that a file could give or take away by the way: an import asks for it by itself.
    consent = ContactColumn("consent", TextWidget(10), readonly=True)
    consent_kind = ContactColumn("consent_kind", TextWidget(10), readonly=True)
    consented_at = ContactColumn("consented_at", MomentWidget(), readonly=True)
    consent_source = ContactColumn("consent_source", TextWidget(150), readonly=True)
    consent_evidence = ContactColumn("consent_evidence", TextWidget(100_000), readonly=True)

    class Meta:
        model = Contact
        fields = (
            "phone_number",
            "first_name",
            "last_name",
            "email",
            "language",
            "time_zone",
            "attributes",
            "groups",
            "consent",
            "consent_kind",
            "consented_at",
            "consent_source",
            "consent_evidence",
        )
        export_order = fields
        import_id_fields = ("phone_number",)
        skip_unchanged = True

    #: What an import may fill beside the number, and what of a contact it is compared with.
    VALUE_FIELDS = ("first_name", "last_name", "email", "language", "time_zone", "attributes")

    def __init__(self, region: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["phone_number"].widget.region = region
        self._remarks: dict[tuple[str, Any], str] = {}
        self._widgets = {name: column.widget for name, column in self.fields.items()}

    @cached_property
    def definitions(self) -> Definitions:
        """The attributes that are defined, read when the first of them is met."""
        return Definitions.load()

    @property
    def columns(self) -> Mapping[str, ContactColumn]:
        """All columns by field name."""
        return self.fields  # type: ignore[no-any-return]

    def clean_row(self, phone: str, fields: Mapping[str, Any], attributes: Mapping[str, str]) -> CleanRow:
        """
        Clean the cells of one row; empty ones count as absent.

        A value that does not fit its column is left out with a remark: it must not keep a person from getting a text.
        Raises InvalidPhoneNumber.
        """
        widgets = self._widgets
        number = widgets["phone_number"].parse(phone)
        row = CleanRow(number, canonical(number.e164))
        for name, raw in fields.items():
            if isinstance(raw, str) and (remark := self._remarks.get((name, raw))) is not None:
                row.remarks.append(remark)
                continue
            try:
                value = widgets[name].clean(raw)
            except ValueError as error:
                row.remarks.append(self._remark(name, raw, str(error)))
            else:
                if value:
                    row.values[name] = value
        if attributes or "attributes" in row.values:
            if in_one_cell := row.values.pop("attributes", None):
                attributes = {**in_one_cell, **attributes}
            cleaned, left_out = self.definitions.clean(attributes)
            row.remarks += left_out
            if cleaned:
                row.values["attributes"] = cleaned
        return row

    def _remark(self, name: str, raw: Any, reason: str) -> str:
        """What is said of a value that was left out. The same few ("none", "-") come again and again in a file."""
        words = _("%(field)s “%(value)s” was left out: %(reason)s.")
        remark = words % {"field": _field_label(name), "value": str(raw)[:60], "reason": reason}
        if len(self._remarks) < _REMARKS_KEPT and isinstance(raw, str):
            self._remarks[name, raw] = remark
        return remark

    @staticmethod
    def changes(
        current: Mapping[str, Any], values: Mapping[str, Any], update: str = UpdateExisting.ALL
    ) -> dict[str, Any]:
        """
        What `values` (of a CleanRow: none is empty) would change in a contact that has `current`: new values by field.

        Nothing is ever erased. `update` is an UpdateExisting.
        """
        if update == UpdateExisting.NEVER:
            return {}
        only_empty = update == UpdateExisting.EMPTY
        changed = {
            name: value
            for name, value in values.items()
            if name != "attributes" and value != current.get(name) and not (only_empty and current.get(name))
        }
        had = current.get("attributes") or {}
        merged = merged_attributes(had, values.get("attributes") or {}, only_empty=only_empty)
        if merged != had:
            changed["attributes"] = merged
        return changed

    def get_instance(self, instance_loader: Any, row: Mapping[str, Any]) -> Contact | None:
        """A row whose number cannot be read belongs to nobody yet; `import_instance()` says what is wrong with it."""
        try:
            return super().get_instance(instance_loader, row)  # type: ignore[no-any-return]
        except ValueError:
            return None

    def import_instance(self, instance: Contact, row: Mapping[str, Any], **kwargs: Any) -> None:
        """django-import-export's own way in, for small sets of rows in the form of the export."""
        fields = {name: row[name] for name in self.VALUE_FIELDS if row.get(name)}
        try:
            clean = self.clean_row(str(row.get("phone_number") or ""), fields, {})
        except ValueError as error:
            raise ValidationError({"phone_number": str(error)}) from error
        instance.phone_number, instance.archived_at = clean.phone_number, None
        for name, value in self.changes(vars(instance), clean.values).items():
            setattr(instance, name, value)

    def get_queryset(self) -> QuerySet[Contact]:
        return Contact.objects.prefetch_related("groups")


def merged_attributes(had: Mapping[str, Any], new: Mapping[str, Any], *, only_empty: bool = False) -> dict[str, Any]:
    """
    Attributes with the new values put in; if `only_empty`, only where there is none or an empty one.

    Names are compared without case; the spelling that was there stays.
    """
    spelt = {normalise_name(name): name for name in had}
    put = {spelt.get(normalise_name(name), name): value for name, value in new.items() if value != ""}
    return {**had, **{name: value for name, value in put.items() if not (only_empty and had.get(name))}}


def _field_label(name: str) -> str:
    return str(Contact._meta.get_field(name).verbose_name).capitalize()  # type: ignore[union-attr]
