"""The Russian catalogue: complete, sound, and compiled as it is written (users have no gettext)."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext, ngettext

from .catalogue import Entry, compiled, read_mo, read_po
from .sources import Message, messages_in, source_files

ROOT = Path(settings.BASE_DIR)
PO = ROOT / "locale" / "ru" / "LC_MESSAGES" / "django.po"
#: %(name)s, %s and %%, {name} and {}, the placeholders of texts, options of commands, tags.
PLACEHOLDERS = re.compile(r"%\(\w+\)[sd]|%[sd%]|(?<!\{)\{\w*\}(?!\})|\b[a-z]+_[a-z_]+\b|--[a-z-]+|</?\w+")
RENEW = "run `make messages` and translate what it lists"


@pytest.fixture(scope="module")
def entries() -> list[Entry]:
    return read_po(PO)


@pytest.fixture(scope="module")
def marked() -> dict[Message, str]:
    """Every message of the source, and a file that has it."""
    return {message: str(path.relative_to(ROOT)) for path in source_files(ROOT) for message in messages_in(path)}


def test_every_string_of_the_source_is_translated(entries, marked):
    translated = {(entry.context, entry.singular, entry.plural) for entry in entries if entry.is_translated}
    missing = [f"{place}: {message[1]!r}" for message, place in marked.items() if message not in translated]
    assert missing == [], RENEW


def test_nothing_is_translated_that_the_source_does_not_say(entries, marked):
    assert [entry.singular for entry in entries if (entry.context, entry.singular, entry.plural) not in marked] == []


def test_no_translation_is_a_guess(entries):
    assert [entry.singular for entry in entries if "fuzzy" in entry.flags] == []


def test_the_compiled_catalogue_is_what_the_written_one_says(entries):
    assert read_mo(PO.with_suffix(".mo")) == compiled(entries), RENEW


def test_every_translation_keeps_the_placeholders(entries):
    wrong = []
    for entry in entries:
        expected = Counter(PLACEHOLDERS.findall(entry.plural or entry.singular))
        wrong += [text for text in entry.translations if Counter(PLACEHOLDERS.findall(text)) != expected]
    assert wrong == []


def test_every_translation_begins_and_ends_as_the_original(entries):
    """Spaces that join parts of a sentence, the dots of what opens a page, the colon before a value."""
    edges = re.compile(r"^\s*|[\s…:]?$")
    wrong = [
        (entry.singular, text)
        for entry in entries
        for text in entry.translations
        if edges.findall(text) != edges.findall(entry.singular)
    ]
    assert wrong == []


def test_every_plural_has_the_four_forms_of_russian(entries):
    plurals = [entry for entry in entries if entry.plural is not None]
    assert plurals
    assert {len(entry.translations) for entry in plurals} == {4}


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 строк"),
        (1, "1 строка"),
        (2, "2 строки"),
        (5, "5 строк"),
        (11, "11 строк"),
        (12, "12 строк"),
        (21, "21 строка"),
        (22, "22 строки"),
        (111, "111 строк"),
    ],
)
def test_russian_counts_as_russian_does(count, words):
    with translation.override("ru"):
        assert ngettext("%(count)s row", "%(count)s rows", count) % {"count": count} == words


def test_the_catalogue_is_found_where_the_settings_say():
    with translation.override("ru"):
        assert gettext("Delivery log") == "Журнал доставки"
    with translation.override("en"):
        assert gettext("Delivery log") == "Delivery log"
