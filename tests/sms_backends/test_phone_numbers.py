"""Phone numbers as people type them: what is read, what is refused and why, how they are compared and hidden."""

from __future__ import annotations

import json
import pickle
import random
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers
import pytest
from django.utils import translation

from sms_backends.phone_numbers import (
    InvalidNumberCode,
    InvalidPhoneNumber,
    NumberType,
    ParsedNumber,
    _valid,
    canonical,
    mask,
    parse,
    region_of,
)
from sms_backends.time_zones import REGION_ZONES

VECTORS = Path(__file__).resolve().parents[3] / "shared" / "vectors"
MOSCOW_MOBILE = "+79121234567"


def notify_cases() -> list[dict[str, Any]]:
    path = VECTORS / "phone_numbers_notify.json"
    if not path.exists():
        pytest.skip(f"needs the outside vectors {path.name}")
    cases: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return cases


def refusal(raw: str, region: str | None = "RU") -> InvalidPhoneNumber:
    with pytest.raises(InvalidPhoneNumber) as caught:
        parse(raw, region)
    return caught.value


# --- What people type


@pytest.mark.parametrize(
    "raw",
    [
        "+79121234567",
        "89121234567",
        "79121234567",
        "9121234567",
        "8 912 123 45 67",
        "8 (912) 123-45-67",
        "+7.912.123.45.67",
        "  +7 912 123-45-67\n",
        "8\u00a0912\u202f123\u200945\u300067",
        "8‑912–123—45−67",
        "\ufeff+7\u200b912\u200e1234567\u202c",
        "＋７（９１２）１２３－４５－６７",
        "٨٩١٢١٢٣٤٥٦٧",
        "८९१२१२३४५६७",
        "tel:+7-912-123-45-67",
        "TEL: 89121234567",
        "Тел.: 8 912 123 45 67",
        "моб. 8 912 123 45 67",
        "'89121234567",
        '="+79121234567"',
        "«89121234567»",
        "89121234567;",
        "8 912 123 45 67...",
        "79,121,234,567",
        "79121234567.0",
        "89121234567,0",
    ],
)
def test_reads_the_spellings_of_a_russian_mobile(raw: str) -> None:
    assert parse(raw, "RU") == ParsedNumber(MOSCOW_MOBILE, "RU", 7, NumberType.MOBILE, assumed=False)


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("810 44 7911 123456", "RU", "+447911123456"),
        ("8~10 44 7911 123456", "RU", "+447911123456"),
        ("00 7 912 123 45 67", "DE", MOSCOW_MOBILE),
        ("011 7 912 123 45 67", "US", MOSCOW_MOBILE),
        ("+44 (0)7911 123456", "RU", "+447911123456"),
        ("06 12345678", "NL", "+31612345678"),
        ("030/1234567", "DE", "+49301234567"),
        ("06 698 12345", "IT", "+390669812345"),
        ("+39 06 698 12345", "RU", "+390669812345"),
        ("(212) 555-2368", "US", "+12125552368"),
    ],
)
def test_reads_numbers_as_they_are_dialled_in_the_region(raw: str, region: str, e164: str) -> None:
    number = parse(raw, region)
    assert (number.e164, number.assumed) == (e164, False)


@pytest.mark.parametrize(
    ("raw", "region", "e164"),
    [
        ("447911123456", "RU", "+447911123456"),
        ("007 912 123 45 67", "RU", MOSCOW_MOBILE),
        ("+007 912 123 45 67", "GB", MOSCOW_MOBILE),
        ("++7 912 123 45 67", "RU", MOSCOW_MOBILE),
        ("0+7 912 123 45 67", "GB", MOSCOW_MOBILE),
        ("+011 7 912 123 45 67", "US", MOSCOW_MOBILE),
        ("+8 912 123 45 67", "RU", MOSCOW_MOBILE),
        ("+07911 123456", "GB", "+447911123456"),
        ("79121234567", None, MOSCOW_MOBILE),
        ("+52 1 55 1234 5678", "MX", "+525512345678"),
        ("+229 97 12 34 56", "FR", "+2290197123456"),
    ],
)
def test_the_only_other_valid_reading_is_taken_and_marked_as_assumed(raw: str, region: str | None, e164: str) -> None:
    number = parse(raw, region)
    assert (number.e164, number.assumed) == (e164, True)


def test_a_national_reading_wins_over_an_international_one() -> None:
    assert parse("4155552671", "RU").e164 == "+74155552671", "Kamchatka, though +41 55 is in Switzerland"


def test_two_possible_readings_are_refused_with_both_named() -> None:
    error = refusal("03675876879", "AG")
    assert error.code == InvalidNumberCode.AMBIGUOUS
    assert "+3675876879" in error.reason
    assert "+13675876879" in error.reason


def test_a_region_may_be_written_in_small_letters() -> None:
    assert parse("89121234567", "ru").e164 == MOSCOW_MOBILE


def test_a_region_that_does_not_exist_is_the_callers_mistake() -> None:
    with pytest.raises(ValueError, match="'XX' is not a region") as caught:
        parse("89121234567", "XX")
    assert not isinstance(caught.value, InvalidPhoneNumber)


# --- What is refused


@pytest.mark.parametrize(
    ("raw", "code", "named"),
    [
        ("", "empty", ""),
        (" \u200b\u00a0", "empty", ""),
        ("—", "empty", ""),
        ("+", "empty", ""),
        ("n/a", "letters", "n a"),
        ("8912123456O", "letters", "O"),
        ("+7 912 123 45 67 (Иван)", "letters", "Иван"),
        ("8 912 123-45-67 ☎", "symbols", "☎"),
        ("*100#", "symbols", "* #"),
        ("912+1234567", "symbols", "+"),
        ("8 495 123-45-67 доб. 12", "extension", "доб. 12"),
        ("+1 212 555 2368 ext 5", "extension", "ext 5"),
        ("8 495 123-45-67 #12", "extension", "#12"),
        ("tel:+7-495-123-45-67;ext=12", "extension", "12"),
        ("89121234567, 89121234568", "several", ""),
        ("+79121234567 +79121234568", "several", ""),
        ("89121234567\n89121234568", "several", ""),
        ("89121234567 или 89121234568", "several", ""),
        ("8 (495) 123-45-67/68", "several", ""),
        ("7,9E+10", "scientific", "7,9E+10"),
        ("7.91212E10", "scientific", "7.91212E10"),
        ("12345", "too_short", "5"),
        ("+7 912 123 45", "too_short", "9"),
        ("+7 912 123 45 67 8", "too_long", "12"),
        ("+44 7911 12345", "too_short", "11"),
        ("1" * 40, "too_long", "40"),
        ("89121234567 89121234568", "too_long", "22"),
        ("+999 123 456 789", "unknown_country", "+999"),
        ("+800 1234 5678", "no_country", "+80012345678"),
        ("8 012 123 45 67", "not_in_plan", "RU"),
        ("+44 7700 200123", "not_in_plan", "GB"),
    ],
)
def test_a_refusal_says_what_is_wrong(raw: str, code: str, named: str) -> None:
    error = refusal(raw)
    assert error.code == code
    assert named in error.reason
    assert error.reason.endswith(".")
    assert str(error) == error.reason


def test_without_a_region_a_national_number_lacks_its_country() -> None:
    assert refusal("0912 123 45 67", None).code == InvalidNumberCode.COUNTRY_MISSING


def test_a_refusal_is_worded_in_the_language_active_when_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refusal("")
    monkeypatch.setattr(
        "sms_backends.phone_number_errors.gettext", lambda sentence: f"[{translation.get_language()}] {sentence}"
    )
    with translation.override("ru"):
        assert error.reason.startswith("[ru] ")


def test_a_refusal_survives_the_way_between_processes() -> None:
    error = pickle.loads(pickle.dumps(refusal("12345")))
    assert (error.code, error.reason) == (InvalidNumberCode.TOO_SHORT, refusal("12345").reason)


# --- Against others

DIFFERENCES_FROM_NOTIFY = {
    "07723 456789...": "trailing dots are punctuation",
    "tel:+447911123456": "a tel: link is a number",
    "07700 200123": "the file names it an upstream bug: there is no such number",
    "07700 950123": "the file names it an upstream bug: there is no such number",
}


def test_agrees_with_every_notify_case_but_the_named_ones() -> None:
    seen = set()
    for case in notify_cases():
        found: tuple[str, str, str] | None
        try:
            number = parse(case["input"], "GB")
            found = (number.e164, number.region, number.number_type.value.upper())
        except InvalidPhoneNumber:
            found = None
        expected = (case["e164"], case["region"], case["type"]) if case["parse"] == "ok" else None
        if case["input"] in DIFFERENCES_FROM_NOTIFY:
            seen.add(case["input"])
            assert found != expected, case
        else:
            assert found == expected, case
    assert seen == set(DIFFERENCES_FROM_NOTIFY)


def spellings_near_real_numbers(region: str, source: random.Random) -> set[str]:
    """Digits with and without prefixes that are, or almost are, numbers of `region`."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
    assert metadata is not None
    code = phonenumbers.country_code_for_region(region)
    prefixes = ("", "0", "8", "1", metadata.national_prefix or "", str(code), f"+{code}", f"+{code}0", f"00{code}")
    spellings = set()
    for number_type in range(11):
        example = phonenumbers.example_number_for_type(region, number_type)
        if example is None:
            continue
        national = phonenumbers.national_significant_number(example)
        for _ in range(4):
            kept = source.randint(2, 6)
            length = max(len(national) - kept + source.choice([0, 0, 0, -1, 1]), 0)
            near = national[:kept] + "".join(source.choices("0123456789", k=length))
            spellings |= {prefix + near for prefix in prefixes}
    return spellings


INTERNATIONAL_SERVICES = {800, 808, 870, 878, 881, 882, 883, 888, 979}  # valid to the library, no phones to text


def library_reading(raw: str, region: str) -> tuple[str, str | None] | None:
    try:
        number = phonenumbers.parse(raw, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number) or number.country_code in INTERNATIONAL_SERVICES:
        return None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164, phonenumbers.region_code_for_number(number)


def reading_as_it_stands(raw: str, region: str) -> tuple[str, str | None] | None:
    try:
        number = parse(raw, region)
    except InvalidPhoneNumber:
        return None
    return None if number.assumed else (number.e164, number.region)


def test_clean_digits_are_read_as_the_library_reads_them_in_every_region() -> None:
    """Clean digits take a shorter way; it may never lead elsewhere, nor find a number where there is none."""
    valid = 0
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for raw in sorted(spellings_near_real_numbers(region, random.Random(region))):
            expected = library_reading(raw, region)
            assert reading_as_it_stands(raw, region) == expected, (raw, region)
            valid += expected is not None
    assert valid > 5000


# --- What a number tells


@pytest.mark.parametrize(
    ("e164", "number_type"),
    [
        (MOSCOW_MOBILE, "mobile"),
        ("+74951234567", "fixed_line"),
        ("+12125552368", "fixed_line_or_mobile"),
        ("+78001234567", "toll_free"),
    ],
)
def test_tells_the_type(e164: str, number_type: str) -> None:
    assert parse(e164, None).number_type == number_type


@pytest.mark.parametrize(
    ("e164", "zone", "certain"),
    [
        (MOSCOW_MOBILE, "Europe/Moscow", False),
        ("+73832123456", "Asia/Novosibirsk", True),
        ("+77011234567", "Asia/Almaty", False),
        ("+380671234567", "Europe/Kyiv", True),
        ("+14155552671", "America/Los_Angeles", True),
        ("+18002345678", "America/New_York", False),
        ("+12684641234", "America/Antigua", True),
        ("+447400123456", "Europe/London", True),
        ("+447797712345", "Europe/Jersey", True),
        ("+34612345678", "Europe/Madrid", False),
        ("+4915123456789", "Europe/Berlin", True),
    ],
)
def test_tells_the_time_zone_and_whether_the_number_says_so(e164: str, zone: str, certain: bool) -> None:
    number = parse(e164, None)
    assert (number.time_zone, number.time_zone_certain) == (zone, certain)


def test_every_region_has_a_time_zone_that_exists_and_its_own_where_numbers_do_not_tell() -> None:
    for region in phonenumbers.SUPPORTED_REGIONS:
        for number_type in range(11):
            example = phonenumbers.example_number_for_type(region, number_type)
            if example is None:
                continue
            number = parse(phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164), None)
            ZoneInfo(number.time_zone)
            assert number.time_zone_certain or number.region in REGION_ZONES, number


# --- Comparing, looking up, hiding


@pytest.mark.parametrize(
    ("old", "today"),
    [("+5215512345678", "+525512345678"), ("+22997123456", "+2290197123456")],
)
def test_both_spellings_of_one_subscriber_compare_equal(old: str, today: str) -> None:
    assert canonical(old) == canonical(today) == today


@pytest.mark.parametrize(
    "e164", [MOSCOW_MOBILE, "+5491112345678", "+541112345678", "+5511912345678", "+52155123456789"]
)
def test_every_other_number_compares_as_it_is(e164: str) -> None:
    assert canonical(e164) == e164


@pytest.mark.parametrize(
    ("e164", "region"),
    [
        (MOSCOW_MOBILE, "RU"),
        ("+77011234567", "KZ"),
        ("+14035550104", "CA"),
        ("+80012345678", None),
        ("+999123", None),
        ("", None),
    ],
)
def test_tells_the_region_of_a_number(e164: str, region: str | None) -> None:
    assert region_of(e164) == region


@pytest.mark.parametrize(
    ("e164", "masked"),
    [
        (MOSCOW_MOBILE, "+7******4567"),
        ("+442079460991", "+44******0991"),
        ("+29051234", "+290***34"),
        ("89121234567", "*******4567"),
        ("", ""),
    ],
)
def test_a_masked_number_keeps_its_country_and_its_last_digits(e164: str, masked: str) -> None:
    assert mask(e164) == masked


def _by_the_library(number: phonenumbers.PhoneNumber) -> tuple[str | None, int]:
    return phonenumbers.region_code_for_number(number), phonenumbers.number_type(number)


def _by_us(number: phonenumbers.PhoneNumber) -> tuple[str | None, int]:
    found = _valid(number)
    if found is None:
        return None, phonenumbers.PhoneNumberType.UNKNOWN
    return found.region, getattr(phonenumbers.PhoneNumberType, found.number_type.name)


def test_region_and_sort_are_those_that_the_library_finds_in_the_long_way() -> None:
    chance = random.Random(7)
    compared = 0
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in range(11):
            example = phonenumbers.example_number_for_type(region, kind)
            if example is None:
                continue
            digits = phonenumbers.national_significant_number(example)
            variants = {digits, digits[:-1], digits + "0"}
            variants |= {digits[:at] + str(chance.randrange(10)) + digits[at + 1 :] for at in range(len(digits))}
            for national in variants:
                number = phonenumbers.PhoneNumber(
                    country_code=example.country_code,
                    national_number=int(national),
                    italian_leading_zero=national.startswith("0") or None,
                )
                region_found, kind_found = _by_the_library(number)
                if kind_found == phonenumbers.PhoneNumberType.UNKNOWN:
                    region_found = None
                assert _by_us(number) == (region_found, kind_found), (region, national)
                compared += 1
    assert compared > 10_000
