"""What stands below a campaign's text while it is written: sizes and costs, fields to put in, real people's phones."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from django import forms
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.audience_sample import AudienceSample, Person, person_of, sample_of
from campaigns.composing import TemplateError, normalise_name
from campaigns.languages import Wording, language_name, language_tag, wording
from campaigns.models import Contact
from campaigns.prices import price_table
from campaigns.text_check import Rendered, TextCheck, by_size, check_text, render_for

from .base import read_number, why_no_number

#: Whom the preview can show.
WHO = {
    "longest": _("longest"),
    "shortest": _("shortest"),
    "missing": _("a value is missing"),
    "random": _("anyone"),
    "number": _("a number"),
}


@dataclass(frozen=True, slots=True)
class Written:
    """A campaign's form as far as its texts are concerned, saved or not."""

    body: str
    texts: list[tuple[str, str]]
    include: list[int]
    exclude: list[int]
    gateway: str
    sender: str

    @property
    def by_language(self) -> dict[str, str]:
        return {tag: text for language, text in self.texts if (tag := language_tag(language)) and text.strip()}


@dataclass(frozen=True, slots=True)
class Shown:
    """One phone of the preview: whose it is and why, or why there is none."""

    who: str
    title: Any
    rendered: Rendered | None = None
    remark: str = ""


def written_in(form: forms.ModelForm[Any]) -> Written:
    """What stands in the form now: typed, kept or saved."""
    texts = form["texts"].value() or []
    return Written(
        body=str(form["body"].value() or "").replace("\r\n", "\n"),
        texts=list(texts.items() if isinstance(texts, dict) else texts),
        include=_ids(form["include_groups"].value()),
        exclude=_ids(form["exclude_groups"].value()),
        gateway=str(form["gateway"].value() or "default"),
        sender=str(form["sender_id"].value() or ""),
    )


def _ids(values: Iterable[Any] | None) -> list[int]:
    return [int(str(value)) for value in values or () if str(value).isdecimal()]


def writing_panel(written: Written, *, who: str = "", number: str = "") -> dict[str, Any]:
    """What is shown below the text: its sizes, costs and problems, the fields to put in, and phones of real people."""
    sample = sample_of(written.include, written.exclude)
    prices = price_table(written.gateway)
    texts = written.by_language
    checks = [check_text(written.body, "", texts, sample, prices)] if written.body.strip() else []
    checks += [check_text(text, language, texts, sample, prices) for language, text in texts.items()]
    return {
        "sample": sample,
        "checks": [(check, language_name(check.language)) for check in checks],
        "suggestions": _suggestions(checks, sample),
        "texts": [count_words(check) for check in checks],
        "fields": sample.fields,
        "currency": prices.currency,
        "phones": _phones(written, sample, checks, who, number),
        "sender": written.sender or written.gateway,
        "has_groups": bool(written.include),
    }


def _suggestions(checks: list[TextCheck], sample: AudienceSample) -> dict[str, str]:
    """For placeholders that nobody has: the field that was meant, if one is spelt nearly so."""
    known = {normalise_name(one.name): one.name for one in sample.fields}
    found = {name: get_close_matches(name, known, 1) for check in checks for name in check.unknown}
    return {name: known[matches[0]] for name, matches in found.items() if matches}


def _phones(written: Written, sample: AudienceSample, checks: list[TextCheck], who: str, number: str) -> list[Shown]:
    """The one that was asked for; unasked, the longest, the shortest and one with a missing value."""
    try:
        said = wording(written.body, written.by_language)
    except TemplateError:
        return []
    if not written.body.strip():
        return []
    if who == "number":
        return [_by_number(written, said, number)]
    people = _people(said, sample, checks)
    if who in people:
        wanted = [who]
    else:
        wanted = [name for name in ("longest", "shortest", "missing") if people[name]]
        if people["longest"] is people["shortest"] and "shortest" in wanted:
            wanted.remove("shortest")
    phones = [
        Shown(name, WHO[name], render_for(said, person))
        if (person := people[name])
        else Shown(name, WHO[name], remark=_t("There is nobody like this."))
        for name in wanted
    ]
    return phones if who in people else phones + _other_languages(checks, phones)


def _other_languages(checks: list[TextCheck], phones: list[Shown]) -> list[Shown]:
    """A phone for each text that none of these shows."""
    shown = {one.rendered.person.pk for one in phones if one.rendered}
    return [
        Shown("longest", language_name(check.language), check.longest)
        for check in checks
        if check.language and check.longest and check.longest.person.pk not in shown
    ]


def _people(said: Wording, sample: AudienceSample, checks: list[TextCheck]) -> dict[str, Person | None]:
    longest = max((check.longest for check in checks if check.longest), key=by_size, default=None)
    shortest = min((check.shortest for check in checks if check.shortest), key=by_size, default=None)
    return {
        "longest": longest.person if longest else None,
        "shortest": shortest.person if shortest else None,
        "missing": next((person for person in sample.persons if render_for(said, person).missing), None),
        "random": random.choice(sample.persons) if sample.persons else None,  # noqa: S311 - anybody will do
    }


def _by_number(written: Written, said: Wording, number: str) -> Shown:
    e164 = read_number(number)
    if e164 is None:
        return Shown("number", number, remark=why_no_number(number) or _t("This is not a phone number."))
    contact = Contact.objects.filter(phone_number=e164).first()
    if contact is None:
        return Shown("number", e164, remark=_t("This number is not among the contacts."))
    groups = set(contact.groups.values_list("pk", flat=True))
    is_in = groups & set(written.include) and not groups & set(written.exclude)
    remark = "" if is_in else _t("Is not in the chosen groups and would not get it.")
    return Shown("number", e164, render_for(said, person_of(contact)), remark)


def count_words(check: TextCheck) -> dict[str, Any]:
    """The longest text in figures, for the line below the field."""
    if check.longest is None:
        return {"language": check.language, "count": None}
    size = check.longest.size
    return {
        "language": check.language,
        "body": check.body,
        "count": {
            "encoding": str(size.encoding),
            "segments": size.segments,
            "units": size.units,
            "left": size.units_left,
        },
    }
