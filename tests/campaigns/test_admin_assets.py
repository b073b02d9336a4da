"""The little JavaScript and the templates: rules that the server has too, and habits that keep the policy strict."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from sms_backends.segments import ALONE, GSM_BASIC, GSM_EXTENSION, JOINED

STATIC = Path(settings.BASE_DIR) / "static" / "sms"
TEMPLATES = sorted((Path(settings.BASE_DIR) / "templates").rglob("*.html"))


def constant(name: str) -> Any:
    """A constant of segments.js; what stands there is written so that it is JSON too."""
    source = (STATIC / "segments.js").read_text()
    match = re.search(rf"const {name} = (.*);", source)
    assert match
    return json.loads(match[1])


def test_the_browser_counts_with_the_servers_alphabets():
    assert sorted(constant("GSM_BASIC")) == sorted(GSM_BASIC)
    assert sorted(constant("GSM_EXTENSION")) == sorted(GSM_EXTENSION)


def test_the_browser_counts_with_the_servers_limits():
    assert constant("LIMITS") == {str(encoding): [ALONE[encoding], JOINED[encoding]] for encoding in ALONE}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_holds_no_script_style_or_handler(path):
    source = path.read_text()
    assert not re.search(r"<style|<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=", source)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_form_that_posts_carries_the_token(path):
    source = path.read_text()
    for form in re.findall(r'<form[^>]*method="post".*?</form>', source, flags=re.DOTALL):
        assert "{% csrf_token %}" in form
