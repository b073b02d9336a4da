"""The forms of an import: the file with what it may change, and how it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

import phonenumbers
from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.admin.widgets import AutocompleteSelectMultiple
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import importing
from campaigns.country_names import country_name
from campaigns.importing.columns import ATTRIBUTE, IGNORED, PHONE, SECOND_PHONE
from campaigns.importing.delimited import DELIMITERS
from campaigns.importing.encodings import ENCODINGS
from campaigns.importing.limits import MAX_FILE_BYTES
from campaigns.models import Contact, ContactGroup, ContactImport, OptedOutRows, UpdateExisting
from campaigns.resources import ContactResource

ACCEPTED_FILES = ".csv,.txt,.tsv,.tab,.xlsx,.xlsm,.xls,.ods"
_DELIMITER_NAMES = {"\t": _("tab"), ";": _("semicolon ;"), ",": _("comma ,"), "|": _("vertical bar |")}


def region_choices() -> list[tuple[str, str]]:
    """The countries with phone numbers, named in the reader's language, by name."""
    language = get_language() or "en"
    labels = (
        (region, f"{country_name(region, language)} (+{phonenumbers.country_code_for_region(region)})")
        for region in phonenumbers.SUPPORTED_REGIONS
    )
    return sorted(labels, key=lambda choice: choice[1])


class UploadForm(forms.Form):
    """A contact file and what to do with its people."""

    file = forms.FileField(
        label=_("File"),
        help_text=_(
            "CSV, TSV, Excel (.xlsx, .xls) or LibreOffice (.ods), with a column of phone numbers. "
            "Names and any other columns come along."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ACCEPTED_FILES}),
    )
    region = forms.ChoiceField(
        label=_("Country"),
        choices=region_choices,
        help_text=_("Numbers in the file without a country code belong to this country."),
    )
    groups = forms.ModelMultipleChoiceField(
        ContactGroup.objects.filter(
            conditions__isnull=True, archived_at__isnull=True
        ),  # nobody is put into a smart group by hand
        label=_("Add to groups"),
        required=False,
        help_text=_("A campaign is sent to groups."),
    )
    new_group = forms.CharField(
        label=_("And to a new group"), max_length=150, required=False, help_text=_("Its name, or leave it empty.")
    )
    update_existing = forms.ChoiceField(
        label=_("People who are contacts already"),
        choices=UpdateExisting.choices,
        initial=UpdateExisting.ALL,
        required=False,
        widget=forms.RadioSelect,
        help_text=_("An empty cell never erases anything, and everybody joins the groups."),
    )
    opted_out_rows = forms.ChoiceField(
        label=_("People who opted out"),
        choices=OptedOutRows.choices,
        initial=OptedOutRows.KEEP,
        required=False,
        widget=forms.RadioSelect,
        help_text=_(
            "Whichever you choose, they are kept out of every sending: no import ever takes an opt-out back, and no "
            "consent is recorded for them."
        ),
    )
    consent_source = forms.CharField(
        label=_("Where they agreed to get messages"),
        max_length=150,
        required=False,
        help_text=_(
            "For example “order form on the site”. It is written down as the consent of everybody in the file whose "
            "consent is not known. Leave it empty if you do not know that all of them agreed."
        ),
    )
    consent_evidence = forms.CharField(
        label=_("Proof that they agreed"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("What you would show if asked: the wording they agreed to, a document's number, a link."),
    )
    consented_on = forms.DateField(
        label=_("When they agreed"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: today."),
    )

    def __init__(self, *args: Any, admin_site: admin.AdminSite, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["region"] = settings.SMS_DEFAULT_REGION
        widget = AutocompleteSelectMultiple(ContactImport._meta.get_field("groups"), admin_site)
        groups = self.fields["groups"]
        assert isinstance(groups, forms.ModelMultipleChoiceField)
        widget.choices = groups.choices
        groups.widget = widget

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > MAX_FILE_BYTES:
            raise forms.ValidationError(
                _t("The file is too large: %(size)s. The limit is %(limit)s; split it into several files.")
                % {"size": filesizeformat(file.size), "limit": filesizeformat(MAX_FILE_BYTES)}
            )
        return file

    def clean_new_group(self) -> str:
        name: str = self.cleaned_data["new_group"].strip()
        if problem := importing.refusal_of_group(name):
            raise forms.ValidationError(problem)
        return name

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if not data.get("consent_source") and (data.get("consent_evidence") or data.get("consented_on")):
            self.add_error("consent_source", _t("Say where they agreed; without it no consent is recorded."))
        if (day := data.get("consented_on")) and day > timezone.localdate():
            self.add_error("consented_on", _t("This day has not come yet."))
        return data

    def choices_made(self) -> dict[str, Any]:
        """All but the file, as `importing.start()` takes it."""
        data = {name: value for name, value in self.cleaned_data.items() if name != "file"}
        day = data.pop("consented_on")
        data["consented_at"] = timezone.make_aware(datetime.combine(day, time())) if day else None
        data["update_existing"] = data["update_existing"] or UpdateExisting.ALL
        data["opted_out_rows"] = data["opted_out_rows"] or OptedOutRows.KEEP
        return data


@dataclass(frozen=True)
class ColumnFields:
    """A column of the file with the fields that say what it is."""

    sample: importing.SampleColumn
    use: forms.BoundField
    name: forms.BoundField

    @property
    def is_named(self) -> bool:
        """Whether it is an other field, which needs a name of its own."""
        return self.use.value() in (ATTRIBUTE, SECOND_PHONE)

    @property
    def placeholder(self) -> str:
        """What a contact's own field is called in texts; empty for what is no field."""
        use = self.use.value()
        return f"{{{{ {use} }}}}" if use in ContactResource.VALUE_FIELDS and use != "attributes" else ""


class ReadingForm(forms.Form):
    """
    How a file is read, filled with how it seems to be.

    `seen` names what the columns below were found with: if that is changed, they have to be looked for anew.
    """

    encoding = forms.ChoiceField(label=_("Encoding"), required=False)
    delimiter = forms.ChoiceField(label=_("Between the cells"), required=False)
    sheet = forms.ChoiceField(label=_("Sheet"), required=False)
    header_row = forms.IntegerField(
        label=_("Row with the columns' names"),
        min_value=0,
        required=False,
        help_text=_("0 if there is none and the first row is a contact already."),
    )
    seen = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, look: importing.Look, data: Any = None) -> None:
        reading = look.reading
        initial = {
            "encoding": reading.encoding,
            "delimiter": reading.delimiter,
            "sheet": reading.sheet,
            "header_row": reading.header_row,
            "seen": _what_columns_depend_on(reading),
        }
        super().__init__(data, initial=initial)
        self.look = look
        if look.is_text:
            self._offer("encoding", {**ENCODINGS, reading.encoding: ENCODINGS.get(reading.encoding, reading.encoding)})
            names = {mark: _DELIMITER_NAMES[mark] for mark in DELIMITERS}
            self._offer("delimiter", {**names, reading.delimiter: names.get(reading.delimiter, reading.delimiter)})
            del self.fields["sheet"]
        else:
            self._offer("sheet", {name: name for name in look.sheets})
            del self.fields["encoding"], self.fields["delimiter"]
        for at, column in enumerate(look.columns):
            self.fields[f"use_{at}"] = forms.ChoiceField(
                label=_("What it is"), choices=use_choices, initial=column.use, required=False
            )
            self.fields[f"name_{at}"] = forms.CharField(
                label=_("Placeholder"), initial=column.name, max_length=100, required=False
            )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or {}
        if PHONE not in (data.get(f"use_{at}") for at in range(len(self.look.columns))):
            raise forms.ValidationError(_t("Say which column holds the phone numbers."))
        return data

    def _offer(self, name: str, choices: dict[str, Any]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = list(choices.items())

    def general_fields(self) -> Iterator[forms.BoundField]:
        yield from (self[name] for name in ("encoding", "delimiter", "sheet", "header_row") if name in self.fields)

    def column_fields(self) -> list[ColumnFields]:
        return [
            ColumnFields(column, self[f"use_{at}"], self[f"name_{at}"]) for at, column in enumerate(self.look.columns)
        ]

    def is_about_these_columns(self) -> bool:
        """Whether what was sent was chosen when the file had these columns, not under another delimiter or header."""
        return not self.look.is_refused and self.data.get("seen") == self["seen"].initial

    def reading(self) -> importing.Reading:
        """As it was filled in."""
        return replace(self.look.reading, columns=[self._use(at) for at in range(len(self.look.columns))])

    def _use(self, at: int) -> dict[str, str]:
        use, name = self.cleaned_data[f"use_{at}"] or IGNORED, self.cleaned_data[f"name_{at}"]
        return {"use": use, "name": name} if use in (ATTRIBUTE, SECOND_PHONE) and name else {"use": use}


def _what_columns_depend_on(reading: importing.Reading) -> str:
    return f"{reading.delimiter}\n{reading.sheet}\n{reading.header_row}".encode().hex()


def use_choices() -> list[tuple[str, str]]:
    """What a column can be, in the operator's words."""
    fields = [
        (name, str(Contact._meta.get_field(name).verbose_name).capitalize())  # type: ignore[union-attr]
        for name in ContactResource.VALUE_FIELDS
        if name != "attributes"
    ]
    return [
        (PHONE, _t("Phone number")),
        (SECOND_PHONE, _t("Phone number, where that is empty")),
        *fields,
        (ATTRIBUTE, _t("Other field, for placeholders")),
        ("attributes", _t("All other fields in one cell, as exported")),
        (IGNORED, _t("Not imported")),
    ]
