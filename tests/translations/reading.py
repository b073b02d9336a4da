"""Pages as people read them, to find words that nobody marked for translation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

#: Attributes that are shown or read aloud. Those that begin with data- are words for scripts, unless they are names.
SHOWN = {"alt", "aria-label", "aria-description", "content", "label", "placeholder", "summary", "title"}
#: Elements whose text is no language: code, what people wrote or typed, what a provider said.
NOT_OURS = {"code", "pre", "script", "style", "textarea", "svg", "kbd", "samp"}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
#: Choices that are names in Latin letters.
NAMES_ONLY = {"time_zone"}
WORD = re.compile(r"[A-Za-z][A-Za-z'’]+")


@dataclass
class Form:
    """A form as it is sent when one of its buttons is pressed and nothing was typed."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    """Collects what a page shows, its texts and attributes that are read, and the addresses it leads to."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and values.get("method", "").lower() == "post":
            self.forms.append(Form(values.get("action", "")))
        elif self.forms:
            self._read_input(tag, values)
        self.links += [values[name] for name in ("href", "action", "formaction") if name in values]
        if not self._hidden:
            self.texts += [values[name] for name in sorted(SHOWN & set(values)) if tag != "meta"]
            if tag == "input" and values.get("type") in ("submit", "button", "reset"):
                self.texts.append(values.get("value", ""))
        foreign = tag in NOT_OURS or values.get("name") in NAMES_ONLY or values.get("lang", "ru") != "ru"
        if tag not in VOID and (foreign or (self._hidden and tag == self._hidden[-1])):
            self._hidden.append(tag)

    def _read_input(self, tag: str, values: dict[str, str]) -> None:
        form, kind, name = self.forms[-1], values.get("type", ""), values.get("name", "")
        if kind == "submit" or tag == "button":
            form.buttons.append((name, values.get("value", "")))
        elif tag == "input" and (kind == "hidden" or (name == "_selected_action" and name not in form.fields)):
            form.fields[name] = values.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if self._hidden and tag == self._hidden[-1]:
            self._hidden.pop()

    def handle_data(self, data: str) -> None:
        if not self._hidden and data.strip():
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def english_in(text: str, allowed: re.Pattern[str]) -> Iterator[str]:
    """Words in Latin letters that are left of the text when what may stay is taken out."""
    yield from WORD.findall(allowed.sub(" ", text))
