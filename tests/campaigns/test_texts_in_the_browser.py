"""The scripts' rules and the server's are the same: both run on the same texts, the scripts in node if there is one."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from campaigns.composing import Template, TemplateError, literal_spans, normalise_name
from campaigns.text_check import costly_in, with_replacements
from sms_backends.segments import GSM_REPLACEMENTS, segment
from tests.sms_backends.test_segments import vectors

STATIC = Path(settings.BASE_DIR) / "static" / "sms"
VALUES = {
    "first_name": "Анна",
    "имя": "Анна",
    "city": "Kazan",
    "favourite_shop": "“Nord”",
    "blank": "  ",
    "own_braces": "{{ city }}",
}
TEXTS = [
    "",
    "Hello",
    "Hello {{ first_name }}",
    "Hello {{First_Name}} in {{ Favourite  shop }}",
    "Hello {{ nobody }} and {{ blank }} and {{ nobody }}",
    'Hello {{ nobody|default:"friend" }}',
    "Hello {{ nobody | default : 'friend – “x”' }}!",
    'Hello {{ nobody|default:"“a” ‘b’" }}',
    "Hello {{ nobody|default:'“a” ‘b’' }}",
    "Hello {{ nobody|default:“друг”}}",
    "Hello {{ nobody|default:«друг «мой»}}",
    'Hello {{ nobody|default:"" }}',
    "Hello {{ own_braces }}",
    "“Hello” – {{ first_name }}… №1 ｛｛ city ｝｝",
    "{ {{ city }}{ and }{{ city }}}",
    "Привет, {{ имя }}! «Ёлка» 😀",
    "line\nbreak {{ city\n}} end",
    "Hello {{ name",
    "Hello name }}",
    "Hello {{ }}",
    "Hello {{ city|upper }}",
    "Hello {{ city|default:friend }}",
    "Hello {{{ city }}}",
    "{{ Straße }} \u00a0\u200b\t",
    "😀“{{ city }}”😀 ’",
]
SCRIPT = """
const fs = require("fs"), vm = require("vm");
globalThis.window = globalThis;
for (const file of process.argv.slice(1)) vm.runInThisContext(fs.readFileSync(file, "utf8"));
const {texts, values} = JSON.parse(fs.readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(texts.map((text) => ({
    count: countSegments(text), spans: smsTexts.literalSpans(text), rendered: smsTexts.render(text, values),
    costly: smsTexts.costlyIn(text), replaced: smsTexts.withReplacements(text, GSM_REPLACEMENTS),
    name: smsTexts.normaliseName(text),
}))));
"""


def in_javascript(texts: list[str], values: dict[str, str]) -> list[dict[str, Any]]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node; the browser tests run the same scripts in Chromium")
    done = subprocess.run(
        [node, "-e", SCRIPT, str(STATIC / "segments.js"), str(STATIC / "texts.js")],
        input=json.dumps({"texts": texts, "values": values}).encode(),
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)


def utf16(text: str, position: int) -> int:
    """A position as scripts count it."""
    return len(text[:position].encode("utf-16-le", "surrogatepass")) // 2


def counted(text: str) -> dict[str, Any]:
    found = segment(text)
    return {
        "encoding": str(found.encoding),
        "segments": found.segments,
        "units": found.units,
        "left": found.units_left,
    }


def rendered(text: str) -> dict[str, Any] | None:
    try:
        found = Template(text).render(VALUES)
    except TemplateError:
        return None
    return {"text": found.text, "missing": list(found.missing)}


def in_python(text: str) -> dict[str, Any]:
    return {
        "count": counted(text),
        "spans": [[utf16(text, start), utf16(text, end), closing] for start, end, closing in literal_spans(text)],
        "rendered": rendered(text),
        "costly": [
            {
                "character": one.character,
                "positions": [utf16(text, position) for position in one.positions],
                "replacement": one.replacement,
            }
            for one in costly_in(text)
        ],
        "replaced": with_replacements(text, GSM_REPLACEMENTS),
        "name": normalise_name(text),
    }


def test_every_text_means_the_same_in_the_browser_and_on_the_server():
    for text, found in zip(TEXTS, in_javascript(TEXTS, VALUES), strict=True):
        assert (text, found) == (text, in_python(text))


@pytest.mark.parametrize("name", ["segments_notify.json", "segments_twilio.json"])
def test_the_browser_counts_the_outside_vectors_as_the_server_does(name):
    texts = [case["text"] for case in vectors(name)["cases"]]
    for text, found in zip(texts, in_javascript(texts, {}), strict=True):
        assert found["count"] == counted(text), text


def test_the_browser_replaces_and_leaves_what_the_server_does():
    texts = [chr(int(name[2:], 16)) for name in vectors("smart_encoding_twilio.json")]
    for text, found in zip(texts, in_javascript(texts, {}), strict=True):
        assert found["replaced"] == with_replacements(text, GSM_REPLACEMENTS), text
        assert [one["replacement"] for one in found["costly"]] == [one.replacement for one in costly_in(text)], text


def test_the_browser_knows_the_published_alphabet():
    published = vectors("gsm7_alphabet.json")
    texts = [character for character in [*published["basic"], *published["extension"]] if character != "\x1b"]
    assert all(found["count"]["encoding"] == "GSM-7" for found in in_javascript(texts, {}))


def test_a_default_is_never_ended_by_what_replaces_its_quotes():
    body = '{{ nobody|default:"“a” ‘b’" }}'
    assert Template(with_replacements(body, GSM_REPLACEMENTS)).render({}).text == "'a' 'b'"
