"""
Attributes of contacts: which are defined, and making values of what files and people write.

What nobody has defined is text, and stays as it is.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import formats, translation
from django.utils.translation import gettext as _

from .composing import normalise_name
from .models import Attribute, AttributeKind

#: A number with more digits than this would not come out of the database as it went in.
MAX_DIGITS = 15
MAX_TEXT = 2000

YES = frozenset(
    "yes y true 1 on да д истина si sí s oui o ja j sim evet e var".split()  # noqa: SIM905
)
NO = frozenset("no n false 0 off нет н ложь non nein não nao hayır hayir h yok".split())  # noqa: SIM905
_SPACES = re.compile(r"[\s\u00a0\u202f'’]")
_DIGITS = re.compile(r"[+-]?\d+(?:[.]\d+)?")
_DATES = ("%Y-%m-%d", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d")
_TIME_AFTER = re.compile(r"[T ]00:00(?::00(?:\.0+)?)?$")


def clean_attribute(kind: str, raw: Any, locale: str = "") -> str | int | float | bool:
    """
    The value that `raw` (a cell of a file, or what somebody typed) means for an attribute of this kind; "" for nothing.

    `locale` is the language code whose customs count where a number or date can be read in two ways; the active
    language if it is empty. Raises ValueError with the reason in words.
    """
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return ""
    readers = {AttributeKind.NUMBER: _number, AttributeKind.DATE: _date, AttributeKind.YES_NO: _yes_no}
    reader = readers.get(AttributeKind(kind))
    if reader is None:
        text = str(raw).strip()
        if len(text) > MAX_TEXT:
            raise ValueError(_("longer than %(limit)d characters") % {"limit": MAX_TEXT})
        return text
    return reader(raw, locale or translation.get_language() or "en")


def _number(raw: Any, locale: str) -> int | float:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        number = raw
    else:
        text = _with_point(_SPACES.sub("", str(raw)).replace("\u2212", "-"), locale)
        if not _DIGITS.fullmatch(text):
            raise ValueError(_("not a number"))
        if sum(c.isdecimal() for c in text.lstrip("+-0.")) > MAX_DIGITS:
            raise ValueError(_("a number with more than %(limit)d digits; make the field text") % {"limit": MAX_DIGITS})
        number = float(text)
    if not math.isfinite(number):
        raise ValueError(_("not a number"))
    return int(number) if number == int(number) else float(number)


def _with_point(text: str, locale: str) -> str:
    """With a decimal point and nothing between the thousands. Raises ValueError where two readings are possible."""
    comma, point = text.count(","), text.count(".")
    if comma and point:
        thousands = "," if text.rfind(".") > text.rfind(",") else "."
        whole = text.replace(thousands, "").replace(",", ".")
        if not re.fullmatch(rf"[+-]?\d{{1,3}}(?:[{thousands}]\d{{3}})+[.,]\d+", text):
            raise ValueError(_("not a number"))
        return whole
    if not comma and not point:
        return text
    mark = "," if comma else "."
    grouped = re.fullmatch(rf"[+-]?\d{{1,3}}(?:[{mark}]\d{{3}})+", text)
    if comma + point > 1:
        return text.replace(mark, "") if grouped else text
    if grouped and mark != formats.get_format("DECIMAL_SEPARATOR", lang=locale, use_l10n=True):
        if mark == formats.get_format("THOUSAND_SEPARATOR", lang=locale, use_l10n=True):
            return text.replace(mark, "")
        if mark == ",":
            raise ValueError(_("a number that can be read in two ways; write it without separators"))
    return text.replace(",", ".")


def _date(raw: Any, locale: str) -> str:
    if isinstance(raw, datetime):
        raw = raw.date()
    if isinstance(raw, date):
        return raw.isoformat()
    text = _TIME_AFTER.sub("", str(raw).strip())
    customary = formats.get_format("DATE_INPUT_FORMATS", lang=locale, use_l10n=True)
    for pattern in (*_DATES, *customary):
        if "%y" in pattern:
            continue  # two digits of a year would be a guess
        try:
            return datetime.strptime(text, pattern).date().isoformat()
        except ValueError:
            continue
    raise ValueError(_("not a date; write it as 2026-12-31"))


def _yes_no(raw: Any, _locale: str) -> bool:
    if isinstance(raw, bool):
        return raw
    word = str(raw).strip().casefold().rstrip(".")
    if word in YES or word == _("yes"):
        return True
    if word in NO or word == _("no"):
        return False
    raise ValueError(_("neither yes nor no"))


def known_attributes() -> list[Attribute]:
    """The defined attributes, by label."""
    return sorted(Attribute.objects.all(), key=lambda it: str(it).casefold())


@dataclass(slots=True)
class Definitions:
    """The attributes that are defined, by comparable name."""

    by_key: Mapping[str, Attribute] = field(default_factory=dict)

    @classmethod
    def load(cls) -> Definitions:
        """As they are now."""
        return cls({normalise_name(it.name): it for it in Attribute.objects.all()})

    def clean(self, attributes: Mapping[str, Any], locale: str = "") -> tuple[dict[str, Any], list[str]]:
        """
        The attributes in the spelling and kind in which they are defined, and what was left out, in words.

        A value that does not fit is left out: it must not keep a person from getting a text.
        """
        if not self.by_key:
            return dict(attributes), []
        cleaned: dict[str, Any] = {}
        remarks = []
        for name, raw in attributes.items():
            definition = self.by_key.get(normalise_name(name))
            if definition is None:
                cleaned[name] = raw
                continue
            try:
                value = clean_attribute(definition.kind, raw, locale)
            except ValueError as error:
                remarks.append(
                    _("%(field)s “%(value)s” was left out: %(reason)s.")
                    % {"field": definition, "value": str(raw)[:60], "reason": error}
                )
                continue
            if value != "":
                cleaned[definition.name] = value
        return cleaned, remarks


def taken(attributes: dict[str, Any], name: str) -> Any:
    """Takes an attribute out, whatever its spelling; "" where there is none."""
    key = normalise_name(name)
    return next((attributes.pop(known) for known in list(attributes) if normalise_name(known) == key), "")


def respelt(had: Mapping[str, Any], definition: Attribute) -> tuple[dict[str, Any], bool]:
    """
    The attributes of a contact with this one in its defined spelling and kind, and whether its value fits.

    A value that does not fit stays as it is: nothing that somebody has entered is thrown away.
    """
    key, result, fits = normalise_name(definition.name), {}, True
    for name, value in had.items():
        if normalise_name(name) != key:
            result[name] = value
            continue
        try:
            cleaned = clean_attribute(definition.kind, value)
        except ValueError:
            cleaned, fits = value, False
        if cleaned != "":
            result[definition.name] = cleaned
    return result, fits
