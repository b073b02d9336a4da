"""The inputs for a contact's attributes: one for each that is defined, and rows of name and value for all others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.datastructures import MultiValueDict
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t

from .attributes import clean_attribute
from .composing import as_text, normalise_name
from .models import Attribute, AttributeKind

BLANK_ATTRIBUTE_ROWS = 3


class AttributesWidget(forms.Widget):
    """A dictionary as rows of name and value, with a few blank rows to add to it."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        rows = [*dict(value or {}).items(), *[("", "")] * BLANK_ATTRIBUTE_ROWS]
        inputs = format_html_join(
            "",
            '<tr><td><input type="text" name="{}-name" value="{}" aria-label="{}"></td>'
            '<td><input type="text" name="{}-value" value="{}" aria-label="{}"></td></tr>',
            ((name, key, _t("Name of the field"), name, as_text(text), _t("Value")) for key, text in rows),
        )
        return format_html(
            '<table class="attributes" id="{}"><thead><tr><th scope="col">{}</th><th scope="col">{}</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            (attrs or {}).get("id", f"id_{name}"),
            _t("Name"),
            _t("Value"),
            inputs,
        )

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[tuple[str, str]]:
        many = data if isinstance(data, MultiValueDict) else MultiValueDict(data)
        return list(zip(many.getlist(f"{name}-name"), many.getlist(f"{name}-value"), strict=False))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-name" not in data

    def id_for_label(self, id_: str | None) -> str:
        return ""


class AttributesField(forms.Field):
    """A contact's other fields. Values that were not touched keep their kind (a number stays a number)."""

    widget = AttributesWidget

    def clean(self, value: Any) -> dict[str, str]:
        cleaned: dict[str, str] = {}
        known: set[str] = set()
        for name, text in value or []:
            name, text = "_".join(name.split()), text.strip()
            if not name and not text:
                continue
            if not name:
                raise ValidationError(_t("“%(value)s” has no name. Give each value a name.") % {"value": text})
            if normalise_name(name) in known:
                raise ValidationError(_t("“%(name)s” is there twice. Keep one of them.") % {"name": name})
            known.add(normalise_name(name))
            cleaned[name] = text
        return cleaned

    def has_changed(self, initial: Any, data: Any) -> bool:
        before = {name: as_text(value) for name, value in (initial or {}).items()}
        try:
            return before != self.clean(data)
        except ValidationError:
            return True


class AttributeInput(forms.CharField):
    """A defined attribute. Its clean value is of the attribute's kind; "" for none."""

    def __init__(self, attribute: Attribute, value: Any) -> None:
        super().__init__(label=str(attribute), required=attribute.required, widget=_input_for(attribute, value))
        self.attribute = attribute

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, bool):
            return "yes" if value else "no"
        return as_text(value)

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        try:
            return clean_attribute(self.attribute.kind, text)
        except ValueError as error:
            raise ValidationError(_t("This is %(reason)s.") % {"reason": error}) from error

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(self.prepare_value(initial) or "") != str(data or "").strip()


def _input_for(attribute: Attribute, value: Any) -> forms.Widget:
    if attribute.kind == AttributeKind.YES_NO and (isinstance(value, bool) or value == ""):
        return forms.Select(choices=[("", "–"), ("yes", _t("yes")), ("no", _t("no"))])
    try:
        fits = clean_attribute(attribute.kind, value) == value
    except ValueError:
        fits = False  # shown as it is, to be mended: a browser would drop what is no date
    if attribute.kind == AttributeKind.DATE and fits:
        return forms.TextInput(attrs={"type": "date"})
    if attribute.kind == AttributeKind.NUMBER:
        return forms.TextInput(attrs={"inputmode": "decimal"})
    return forms.TextInput(attrs={"class": "vTextField"})


def attribute_field(attribute: Attribute) -> str:
    """What the input of a defined attribute is called."""
    return f"attribute_{attribute.pk}"
