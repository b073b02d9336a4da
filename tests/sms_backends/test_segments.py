"""Segment counts: against published calculators, and against a slow count written from the standard."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from sms_backends.segments import (
    GSM_BASIC,
    GSM_EXTENSION,
    GSM_REPLACEMENTS,
    CostlyCharacter,
    Encoding,
    choose_encoding,
    costly_characters,
    segment,
    to_gsm,
)

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"


def vectors(name: str) -> Any:
    path = VECTORS / name
    if not path.exists():
        pytest.skip(f"needs the outside vectors {name}")
    return json.loads(path.read_text(encoding="utf-8"))


def slow_segments(text: str) -> tuple[str, int, int]:
    """Encoding, segments and units, character by character as TS 23.038 and 23.040 tell it."""
    gsm = all(character in GSM_BASIC + GSM_EXTENSION for character in text)

    def cost(character: str) -> int:
        return 1 + (character in GSM_EXTENSION if gsm else ord(character) > 0xFFFF)

    alone, joined = (160, 153) if gsm else (70, 67)
    units = sum(map(cost, text))
    if units <= alone:
        return ("GSM-7" if gsm else "UCS-2"), 1, units
    segments, used = 1, 0
    for character in text:
        if used + cost(character) > joined:
            segments, used = segments + 1, 0
        used += cost(character)
    return ("GSM-7" if gsm else "UCS-2"), segments, units


def test_agrees_with_every_notify_case() -> None:
    """Where the file has a count for carriers that do not split pairs, that one is ours: pairs are never split here."""
    for case in vectors("segments_notify.json")["cases"]:
        if "disputed" in case:  # there ESC counts as GSM, which the standard keeps for announcing an extension
            assert segment(case["text"]).encoding == "UCS-2"
            continue
        found = segment(case["text"])
        expected = case.get("fragments_exact_packing", case["fragments"])
        assert (found.encoding, found.segments, found.units) == (case["encoding"], expected, case["units"]), case


def test_agrees_with_every_twilio_case() -> None:
    """Twilio keeps grapheme clusters whole too and so bills one more for some; the file then gives split-sms' count."""
    for case in vectors("segments_twilio.json")["cases"]:
        found = segment(case["text"])
        expected = case.get("split_sms_segments", case["segments"])
        assert (found.encoding, found.segments, found.units) == (case["encoding"], expected, case["units"]), case


def test_the_alphabet_is_that_of_the_published_list() -> None:
    published = vectors("gsm7_alphabet.json")
    assert set(GSM_BASIC) == set(published["basic"]) - {"\x1b"}
    assert set(GSM_EXTENSION) == set(published["extension"]) | {"\f"}


def test_the_alphabet_has_127_characters_and_ten_extensions() -> None:
    assert len(GSM_BASIC) == len(set(GSM_BASIC)) == 127
    assert len(GSM_EXTENSION) == len(set(GSM_EXTENSION)) == 10
    assert not set(GSM_BASIC) & set(GSM_EXTENSION)


@pytest.mark.parametrize("alphabet", ["ab", "a€", "€", "aж", "ж😀", "😀", "a😀", "a[ж"])
def test_agrees_with_a_slow_count_at_every_length(alphabet: str) -> None:
    source = random.Random(alphabet)
    for length in [*range(60, 175), *range(295, 320), 450, 460, 1000]:
        text = "".join(source.choices(alphabet, k=length))
        found = segment(text)
        assert (found.encoding, found.segments, found.units) == slow_segments(text), (alphabet, length)


@pytest.mark.parametrize(
    ("text", "segments", "units_left"),
    [
        ("", 1, 160),
        ("a" * 159, 1, 1),
        ("a" * 160, 1, 0),
        ("a" * 161, 2, 153 * 2 - 161),
        ("a" * 306, 2, 0),
        ("a" * 307, 3, 152),
        ("ж" * 70, 1, 0),
        ("ж" * 71, 2, 67 * 2 - 71),
        ("ж" * 134, 2, 0),
        ("ж" * 135, 3, 66),
    ],
)
def test_units_left_are_those_of_the_last_segment(text: str, segments: int, units_left: int) -> None:
    found = segment(text)
    assert (found.segments, found.units_left) == (segments, units_left)


def test_an_escape_pair_is_not_split() -> None:
    assert segment("a" * 152 + "€" + "a" * 151).segments == 2
    assert segment("a" * 152 + "€" + "a" * 152).segments == 3, "the pair leaves one septet of the first segment empty"


def test_a_surrogate_pair_is_not_split() -> None:
    assert segment("ж" * 66 + "😀" + "ж" * 65).segments == 2
    assert segment("ж" * 66 + "😀" + "ж" * 66).segments == 3, "the pair leaves one unit of the first segment empty"


def test_a_surrogate_pair_that_arrives_as_two_characters_is_not_split() -> None:
    assert segment("ж" * 66 + "\ud83d\ude00" + "ж" * 66).segments == 3


def test_a_lone_surrogate_takes_one_unit() -> None:
    assert segment("\ud83d").units == 1
    assert segment("\ud83d" * 71).segments == 2
    assert segment("ж" * 66 + "\ud83d" + "ж" * 67).segments == 2, "without a second half there is no pair to keep whole"


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\t", "`", "ç", "á", "\u00a0", "’", "№", "Ё"])
def test_what_only_looks_like_gsm_is_ucs_2(character: str) -> None:
    assert choose_encoding(f"plain{character}text") is Encoding.UCS2
    assert segment(character).encoding is Encoding.UCS2


@pytest.mark.parametrize("text", [GSM_BASIC, GSM_EXTENSION, GSM_BASIC + GSM_EXTENSION])
def test_the_whole_alphabet_is_gsm(text: str) -> None:
    assert choose_encoding(text) is Encoding.GSM7
    assert segment(text).encoding is Encoding.GSM7
    assert costly_characters(text) == []
    assert to_gsm(text) == text


def test_costly_characters_come_once_each_with_all_positions_and_what_may_replace_them() -> None:
    assert costly_characters("“Hi” – ж“\u00a0€") == [
        CostlyCharacter("“", (0, 8), '"'),
        CostlyCharacter("”", (3,), '"'),
        CostlyCharacter("–", (5,), "-"),
        CostlyCharacter("ж", (7,), None),
        CostlyCharacter("\u00a0", (9,), " "),
    ]


def test_costly_characters_exist_exactly_where_the_encoding_is_ucs_2() -> None:
    for code in range(0x3000):
        character = chr(code)
        assert bool(costly_characters(character)) == (segment(character).encoding is Encoding.UCS2), hex(code)


def test_a_costly_character_can_be_named_when_it_cannot_be_seen() -> None:
    assert [costly.code_point for costly in costly_characters("a\u200bb😀")] == ["U+200B", "U+1F600"]


def test_replacing_makes_a_pasted_text_gsm_again() -> None:
    pasted = "“Sale”…\u00a0— it’s ﬁne:\u200b 50\u202f% • ＡＢＣ\u2028end"
    assert to_gsm(pasted) == '"Sale"... - it\'s fine: 50 % - ABC\nend'
    assert segment(to_gsm(pasted)).encoding is Encoding.GSM7


def test_replacing_leaves_letters_and_joined_emoji_alone() -> None:
    assert to_gsm("«Ёлка» – naïve 👨\u200d👩\u200d👧 1½") == '"Ёлка" - naïve 👨\u200d👩\u200d👧 1½'


def test_every_replacement_is_gsm_and_replaces_what_is_not() -> None:
    for character, stand_in in GSM_REPLACEMENTS.items():
        assert choose_encoding(character) is Encoding.UCS2, character
        assert choose_encoding(stand_in) is Encoding.GSM7, character


# Twilio's smart encoding, where ours decides otherwise. Characters that neither list has are not compared.
TWILIO_WRITES_TWO_SPACES = "\u00a0\u2000\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
OTHER_CHOICES = {
    **dict.fromkeys(TWILIO_WRITES_TWO_SPACES, "one space is one space"),
    "\t": "a tab is one space: seven would be paid for",
    "\u2028": "a line end stays a line end",
    "\u2029": "a paragraph end stays a line end",
}
LEFT_ALONE = {
    "a fraction after a whole number would become another number": "¼½¾",
    "a joiner holds words and emoji together": "\u200c",
    "C1 controls are damaged text: the author should look at it": "\x80\x8d\x90\x9b\x9f",
    "a combining mark belongs to the letter before it": "\u0302\u0303\u0313\u0314\u0326\u0330\u0332\u0334\u0337\u0338"
    "\u0347\u1dcd\u20d2\u20d3\u20e5",
    "small capitals and clicks are letters": "ǃᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ",
    "ornaments and technical signs do not say the same as the plain mark": "❨❩❪❫❴❵⟮⟯⦅⦆⊛✢✣✤✥✱✲✳✺✻✼✽❃❉❊❋⧆⎸⎹⏐⎜⎟⎼⎽⦂⧵⧸⧹‗",
    "nobody types these small and vertical forms": "︐︑︓︔︕︖﹔﹖﹗﹙﹚﹛﹜﹟﹠﹡﹢﹤﹥﹦﹨﹩﹪﹫",
    "modifier letters and marks of phonetic writing": "ː˖˷˸꞉꞊⁏",
}


def test_differs_from_twilios_smart_encoding_only_where_named() -> None:
    twilio = {chr(int(name[2:], 16)): text for name, text in vectors("smart_encoding_twilio.json").items()}
    differing = {
        character
        for character, text in twilio.items()
        if character in GSM_REPLACEMENTS and GSM_REPLACEMENTS[character] != text
    }
    assert differing == set(OTHER_CHOICES)
    assert set(twilio) - set(GSM_REPLACEMENTS) == set("".join(LEFT_ALONE.values()))
