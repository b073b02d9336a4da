"""
One text in several languages: each contact gets the one in their language, everybody else the main text.

Languages are compared by tags such as `ru` or `pt-br`, however they are written; `pt-BR` finds `pt` where there is no
text of its own. A campaign in one language costs nothing more than before: its `Template` answers for every language.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from django.conf.locale import LANG_INFO
from django.utils.translation import gettext

from .composing import Template


class Wording(Protocol):
    """What a campaign says: the text for whoever speaks a language."""

    def in_language(self, language: str) -> Template: ...


class Translations:
    """A main text and others by language. Raises `TemplateError` when one of them is not understood."""

    def __init__(self, body: str, texts: Mapping[str, str]) -> None:
        self.main = Template(body)
        self.others = {language_tag(language): Template(text) for language, text in texts.items()}
        self._found: dict[str, Template] = {}

    def in_language(self, language: str) -> Template:
        try:
            return self._found[language]
        except KeyError:
            template = self.others.get(chosen_language(language, self.others), self.main)
            self._found[language] = template
            return template


def wording(body: str, texts: Mapping[str, str] | None = None) -> Template | Translations:
    """What is said, made for asking for many contacts. Raises `TemplateError`."""
    return Translations(body, texts) if texts else Template(body)


def launched_wording(launch: Mapping[str, Any]) -> Template | Translations:
    """What was copied when a campaign was launched."""
    return wording(launch["body"], launch.get("texts"))


def has_one_text(launch: Mapping[str, Any]) -> bool:
    """Whether everybody gets the very same text."""
    return not launch.get("texts") and not Template(launch["body"]).placeholders


def language_tag(language: str) -> str:
    """How languages are compared: small letters, a hyphen between language and country."""
    return "-".join(language.replace("_", "-").split()).casefold().strip("-")


def chosen_language(language: str, available: Mapping[str, Any]) -> str:
    """The language of `available` (tags) for somebody who speaks `language`; empty when it is none of them."""
    tag = language_tag(language)
    while tag:
        if tag in available:
            return tag
        tag = tag.rpartition("-")[0]
    return ""


def language_name(language: str) -> str:
    """What the language is called, in the reader's language: `ru` is "Russian"; unknown tags stand for themselves."""
    found = LANG_INFO.get(language_tag(language), {})
    return gettext(found["name"]) if "name" in found else language
