"""Numbers in sentences."""

from __future__ import annotations

from django.utils.formats import number_format
from django.utils.translation import ngettext


def count(value: int) -> str:
    """A number with its digits grouped as the reader's language does."""
    return number_format(value, force_grouping=True)


def people(number: int) -> str:
    """For example "9,512 people"."""
    return ngettext("%(count)s person", "%(count)s people", number) % {"count": count(number)}


def messages(number: int) -> str:
    """For example "9,512 messages"."""
    return ngettext("%(count)s message", "%(count)s messages", number) % {"count": count(number)}


def segments(number: int) -> str:
    """For example "10,840 segments"."""
    return ngettext("%(count)s segment", "%(count)s segments", number) % {"count": count(number)}
