"""The README in Russian tells as much as the one in English."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
RUSSIAN = (ROOT / "README.ru.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("links and pictures", r"\]\((?!README)([^)]+)\)"),
        ("commands", r"`make [a-z-]+|manage\.py \w+|-m [\w.]+|\.ci/run"),
        ("variables", r"\b[A-Z]+(?:_[A-Z]+)+\b"),
        ("levels of headings", r"^#+ "),
    ],
)
def test_everything_of_the_english_one_is_there(what, pattern):
    found, expected = (re.findall(pattern, text, re.MULTILINE) for text in (RUSSIAN, ENGLISH))
    assert set(expected) - set(found) == set(), what
    if what == "levels of headings":
        assert found == expected


def test_its_links_lead_somewhere():
    for target in re.findall(r"\]\((?!http)([^)#]+)", RUSSIAN):
        assert (ROOT / target).exists(), target
