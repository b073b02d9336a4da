"""Reads catalogues of translations: the text that people edit (.po), and the compiled one that Django reads (.mo)."""

from __future__ import annotations

import ast
import gettext
import re
from dataclasses import dataclass, field
from pathlib import Path

#: What Python's gettext puts between a context and its message.
CONTEXT_MARK = "\x04"
KEYWORD = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr(?:\[\d\])?) (".*")$')


@dataclass
class Entry:
    """One message of a .po file: its forms in English, in the other language, and where the source uses it."""

    context: str | None = None
    singular: str = ""
    plural: str | None = None
    translations: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    flags: str = ""

    @property
    def key(self) -> str:
        """The message as the compiled catalogue calls it."""
        return self.singular if self.context is None else f"{self.context}{CONTEXT_MARK}{self.singular}"

    @property
    def is_translated(self) -> bool:
        return bool(self.translations) and all(self.translations) and "fuzzy" not in self.flags


def read_po(path: Path) -> list[Entry]:
    """The messages of a .po file, without its header. Obsolete ones (#~) are not read."""
    blocks = re.split(r"\n\s*\n", path.read_text(encoding="utf-8").strip())
    entries = [_read_entry(block.splitlines()) for block in blocks]
    return [entry for entry in entries if entry.singular]


def read_mo(path: Path) -> dict[tuple[str, int] | str, str]:
    """A compiled catalogue as Python's gettext holds it: plural forms are numbered."""
    with path.open("rb") as file:
        catalogue: dict[tuple[str, int] | str, str] = gettext.GNUTranslations(file)._catalog  # type: ignore[attr-defined]
    return {key: text for key, text in catalogue.items() if key}


def compiled(entries: list[Entry]) -> dict[tuple[str, int] | str, str]:
    """What `read_mo` must find for these messages; msgfmt leaves out what is not translated."""
    catalogue: dict[tuple[str, int] | str, str] = {}
    for entry in entries:
        if not entry.is_translated:
            continue
        if entry.plural is None:
            catalogue[entry.key] = entry.translations[0]
        else:
            catalogue.update({(entry.key, number): text for number, text in enumerate(entry.translations)})
    return catalogue


def _read_entry(lines: list[str]) -> Entry:
    entry, keyword = Entry(), ""
    for line in lines:
        if line.startswith("#: "):
            entry.places += line[3:].split()
        elif line.startswith("#, "):
            entry.flags += line[3:]
        elif match := KEYWORD.match(line):
            keyword = match[1]
            _append(entry, keyword, ast.literal_eval(match[2]), begins=True)
        elif line.startswith('"'):
            _append(entry, keyword, ast.literal_eval(line), begins=False)
    return entry


def _append(entry: Entry, keyword: str, text: str, *, begins: bool) -> None:
    """Adds a line's text to the part of the entry that the last keyword began."""
    if keyword == "msgctxt":
        entry.context = (entry.context or "") + text
    elif keyword == "msgid":
        entry.singular += text
    elif keyword == "msgid_plural":
        entry.plural = (entry.plural or "") + text
    elif begins:
        entry.translations.append(text)
    else:
        entry.translations[-1] += text
