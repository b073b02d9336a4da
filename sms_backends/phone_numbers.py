"""What people type as a phone number -> E.164, region, type and time zone; and the form in which numbers are compared.

Numbering plans come from the `phonenumbers` library (https://github.com/daviddrysdale/python-phonenumbers).
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import cache
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneMetadata, PhoneNumberType, ValidationResult

from .phone_number_errors import InvalidNumberCode, InvalidPhoneNumber
from .time_zones import NumberZone, zone_of

__all__ = [
    "CANONICAL_VERSION",
    "InvalidNumberCode",
    "InvalidPhoneNumber",
    "NumberType",
    "ParsedNumber",
    "canonical",
    "mask",
    "parse",
    "region_of",
]

CANONICAL_VERSION = 1  # raise it with every change of what canonical() answers: stored canonical numbers are recomputed

_E164_MAX_DIGITS = 15
_IDD_MAX_DIGITS = 5  # the longest international dialling prefixes that may stand before them
_SHORTEST_COMMON_DIGITS = 7


class NumberType(StrEnum):
    """What kind of line a number is, as far as its plan tells. North American mobiles are `fixed_line_or_mobile`."""

    FIXED_LINE = "fixed_line"
    MOBILE = "mobile"
    FIXED_LINE_OR_MOBILE = "fixed_line_or_mobile"
    TOLL_FREE = "toll_free"
    PREMIUM_RATE = "premium_rate"
    SHARED_COST = "shared_cost"
    VOIP = "voip"
    PERSONAL_NUMBER = "personal_number"
    PAGER = "pager"
    UAN = "uan"
    VOICEMAIL = "voicemail"


_LIBRARY_TYPES: dict[NumberType, int] = {kind: getattr(PhoneNumberType, kind.name) for kind in NumberType}
_NUMBER_TYPES = {library_type: kind for kind, library_type in _LIBRARY_TYPES.items()}
_NORTH_AMERICA = 1


class ParsedNumber(NamedTuple):
    """A valid phone number."""

    e164: str
    region: str  # ISO 3166-1 alpha-2
    country_code: int
    number_type: NumberType
    assumed: bool = False  # the text was no valid number as it stood; this is the one way it can be read as one

    @property
    def time_zone(self) -> str:
        """IANA name: the number's zone if it tells one, else the usual one of its region."""
        return self._zone.name

    @property
    def time_zone_certain(self) -> bool:
        """Whether the number itself tells the zone."""
        return self._zone.certain

    @property
    def _zone(self) -> NumberZone:
        # A mobile number's first digits rarely mean a place; the zone is then that of the whole country code. In North
        # America they always do, and only they tell the island states apart.
        area_bound = self.country_code == _NORTH_AMERICA or phonenumbers.is_number_type_geographical(
            _LIBRARY_TYPES[self.number_type], self.country_code
        )
        return zone_of(self.e164[1:] if area_bound else str(self.country_code), self.region)


def parse(raw: str, region: str | None) -> ParsedNumber:
    """Read what somebody typed as a phone number.

    `region` (ISO 3166-1 alpha-2) is the country whose national spellings are understood; None reads only international
    ones. If the text is not valid as it stands, its digits are tried as an international number (an outdated one in
    today's form), both ways without leading zeros and plus signs; a number found so is marked `assumed`.

    Raises InvalidPhoneNumber for what is not one valid number, ValueError for a region that does not exist.
    """
    region = _checked_region(region)
    dialled = raw if _PLAIN.fullmatch(raw) else _dialled(raw)
    repaired = "+" in dialled[1:] or dialled.startswith("+0")  # which phonenumbers would mend without a word
    as_it_stands = None if repaired else _reading(dialled, region)
    return as_it_stands or _assumed_reading(dialled, region)


def region_of(e164: str) -> str | None:
    """The ISO 3166-1 alpha-2 region of an E.164 number; None if it has none (invalid, or an international service)."""
    try:
        return _real_region(phonenumbers.region_code_for_number(phonenumbers.parse(e164)))
    except NumberParseException:
        return None


# Two spellings of one subscriber, each valid in its time.
# Mexico dropped the 1 after 52, which had marked mobiles, on 3 August 2019:
# https://fronterasdesk.org/content/1094581/mexico-simplifies-its-dialing-codes (the regulator, IFT, interviewed).
_MEXICO_BEFORE_2019 = re.compile(r"\+521([0-9]{10})")
# Benin put 01 before all eight-digit numbers on 30 November 2024: https://github.com/mobi/telephone_number/issues/138;
# its plan: https://arcep.bj/les-ressources-en-numerotation/
_BENIN_BEFORE_2024 = re.compile(r"\+229([0-9]{8})")
_REFORMED = ("+521", "+229")


def canonical(e164: str) -> str:
    """The form in which numbers are compared: an outdated spelling becomes today's, every other number stays as it is.

    Argentina's 9 and Brazil's ninth digit are kept: without them the number is somebody else's, or nobody's.
    """
    if not e164.startswith(_REFORMED):  # nearly all: this is asked for each of a million contacts
        return e164
    if old := _MEXICO_BEFORE_2019.fullmatch(e164):
        return f"+52{old[1]}"
    if old := _BENIN_BEFORE_2024.fullmatch(e164):
        return f"+22901{old[1]}"
    return e164


def spellings(canonical_number: str) -> list[str]:
    """All numbers whose `canonical()` is this one: itself, and the spelling before a country's reform."""
    before = []
    if canonical_number.startswith("+52") and len(canonical_number) == 13:
        before = [f"+521{canonical_number[3:]}"]
    elif canonical_number.startswith("+22901") and len(canonical_number) == 14:
        before = [f"+229{canonical_number[6:]}"]
    return [canonical_number, *(number for number in before if canonical(number) == canonical_number)]


def mask(e164: str) -> str:
    """For logs: the country code and the last digits (four of ten and more, else two), the rest as asterisks."""
    shown_first = 1 + len(_country_code_of(e164[1:])) if e164.startswith("+") else 0
    shown_last = 4 if len(e164) - shown_first >= 10 else 2
    hidden = max(len(e164) - shown_first - shown_last, 0)
    return f"{e164[:shown_first]}{'*' * hidden}{e164[shown_first + hidden :]}"


# From raw text to digits

_INVISIBLE = {"Cf", "Mn"}  # format characters (zero width, direction, BOM) and variation selectors
_FULL_WIDTH_ASCII = range(0xFF01, 0xFF5F)


class _PlainCharacters(dict[int, str]):
    """For str.translate: any script's digits, spaces, dashes and full-width signs in ASCII, invisible marks gone."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = self._plain(chr(code))
        return plain

    @staticmethod
    def _plain(character: str) -> str:
        category = unicodedata.category(character)
        if category == "Nd":
            return str(unicodedata.decimal(character))
        if category in _INVISIBLE:
            return ""
        if category == "Pd" or character == "\N{MINUS SIGN}":
            return "-"
        if ord(character) in _FULL_WIDTH_ASCII:
            return chr(ord(character) - 0xFEE0)
        return " " if character.isspace() and character not in "\r\n" else character


_PLAIN_CHARACTERS = _PlainCharacters()
_WRAPPING = " \r\n'\"=`‘’“”«»"  # Excel's leading apostrophe, ="..." and quotes
_LABEL = re.compile(
    r"(?:tel|phone|mobile|mob|cell|sms|callto|телефон|тел|мобильный|моб)(?![^\W\d_])[.:\s]*", re.IGNORECASE
)
_SCIENTIFIC = re.compile(r"[+-]?\d+(?:[.,]\d+)?\s*[eе]\s*\+?\d+", re.IGNORECASE)
_WHOLE_FLOAT = re.compile(r"(\+?\d{8,15})[.,]0")  # a number that a program read as a float
_EXTENSION = re.compile(r"(?:;ext=|ext(?:n|ension)?|доб(?:авочный)?|вн(?:утр)?|[xх#])[\s.:=]*\d{1,7}$", re.IGNORECASE)
_BETWEEN_NUMBERS = re.compile(r"[,;/|\r\n]|(?<=\d)\s+(?=\+)|\s(?:or|and|или|и)\s", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[\s().,:;/_~\[\]\\|-]+")
_LETTERS = re.compile(r"[^\W\d_]+")
_DIALLED = re.compile(r"[+0]*[0-9]*")
_SPACED_DIGITS = re.compile(r"\+?[0-9 ()-]*")  # most of what people type, known to hold nothing else
_NO_SPACING = str.maketrans("", "", " ()-")
_PLAIN = re.compile(r"\+?[0-9]{7,15}")


def _dialled(raw: str) -> str:
    """The digits that `raw` holds, behind whatever mix of plus signs and zeros they began with.

    Raises InvalidPhoneNumber if there is anything else in it than one number and its punctuation.
    """
    is_plain = raw.isascii() and raw.isprintable()
    text = (raw if is_plain else raw.translate(_PLAIN_CHARACTERS)).strip(_WRAPPING)
    if _SPACED_DIGITS.fullmatch(text):
        dialled = text.translate(_NO_SPACING)
    else:
        dialled = _PUNCTUATION.sub("", _without_words(text))
    if dialled in ("", "+"):
        raise InvalidPhoneNumber(InvalidNumberCode.EMPTY)
    if not _DIALLED.fullmatch(dialled):
        strangers = re.findall(r"[^0-9+]", dialled) or ["+"]
        raise InvalidPhoneNumber(InvalidNumberCode.SYMBOLS, found=_sample(strangers))
    if len(dialled) > _E164_MAX_DIGITS + _IDD_MAX_DIGITS:
        raise InvalidPhoneNumber(InvalidNumberCode.TOO_LONG, count=_digit_count(dialled))
    return dialled


def _without_words(text: str) -> str:
    """`text` without a label before the number; raises InvalidPhoneNumber if it is more, or other, than one number."""
    if label := _LABEL.match(text):
        text = text[label.end() :]
    if _SCIENTIFIC.fullmatch(text):
        raise InvalidPhoneNumber(InvalidNumberCode.SCIENTIFIC, found=text)
    if whole := _WHOLE_FLOAT.fullmatch(text):
        return whole[1]
    if _holds_several(text):
        raise InvalidPhoneNumber(InvalidNumberCode.SEVERAL)
    if extension := _EXTENSION.search(text):
        raise InvalidPhoneNumber(InvalidNumberCode.EXTENSION, found=extension[0].strip())
    if letters := _LETTERS.findall(text):
        raise InvalidPhoneNumber(InvalidNumberCode.LETTERS, found=_sample(letters))
    return text


def _holds_several(text: str) -> bool:
    """Two whole numbers, or one with another ending after a slash ("123-45-67/68")."""
    parts = [_digit_count(part) for part in _BETWEEN_NUMBERS.split(text)]
    whole_numbers = sum(count >= _SHORTEST_COMMON_DIGITS for count in parts)
    return whole_numbers > 1 or bool(whole_numbers and re.search(r"/\s*\d{1,2}\s*$", text))


def _digit_count(text: str) -> int:
    return sum(character.isdecimal() for character in text)


def _sample(found: list[str]) -> str:
    """What was found, each once, short enough for a sentence."""
    return " ".join(dict.fromkeys(found))[:20]


# From digits to a number


class _Plan(NamedTuple):
    """What phonenumbers would look at before it takes a region's digits as they stand."""

    country_code: int
    international_prefix: re.Pattern[str]
    national_prefix: re.Pattern[str] | None
    rewrites: bool  # the national prefix is not just cut off


_NOTHING = r"(?!)"  # matches nowhere


@cache
def _plan(country_code: int, region: str) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    assert metadata is not None  # _checked_region and the table of country codes name no others
    prefix = metadata.national_prefix_for_parsing
    return _Plan(
        country_code,
        re.compile(metadata.international_prefix or _NOTHING),
        re.compile(prefix) if prefix else None,
        bool(metadata.national_prefix_transform_rule),
    )


@cache
def _checked_region(region: str | None) -> str | None:
    if region is None:
        return None
    if region.upper() not in phonenumbers.SUPPORTED_REGIONS:
        raise ValueError(f"{region!r} is not a region with phone numbers; use ISO 3166-1 alpha-2, as in 'RU'")
    return region.upper()


def _plain_reading(digits: str, region: str | None) -> ParsedNumber | None:
    """The reading of a clean number in half the time; None if `phonenumbers.parse` has to look at it.

    Importing a million rows rests on this. It takes only what parse() would leave alone but for a plain trunk prefix.
    """
    if digits[0] == "+":
        code = _country_code_of(digits[1:])
        if not code:
            return None
        plan = _plan(int(code), phonenumbers.region_code_for_country_code(int(code)))
        national = digits[1 + len(code) :]
        if plan.national_prefix and plan.national_prefix.match(national):
            return None
    elif region is not None:
        plan = _plan(phonenumbers.country_code_for_region(region), region)
        if plan.international_prefix.match(digits):
            return None
        prefix = plan.national_prefix.match(digits) if plan.national_prefix else None
        national = digits[prefix.end() :] if prefix else digits  # taken below only if valid, as parse() would
        if prefix and plan.rewrites:
            return None
    else:
        return None
    if national.startswith("0"):  # Italian zeros
        return None
    return _number_of(plan.country_code, national)


def _reading(dialled: str, region: str | None) -> ParsedNumber | None:
    """The valid number that `dialled` is when dialled in `region`, or None."""
    if _PLAIN.fullmatch(dialled) and (number := _plain_reading(dialled, region)):
        return number
    try:
        return _valid(phonenumbers.parse(dialled, region))
    except NumberParseException:
        return None


def _valid(number: phonenumbers.PhoneNumber) -> ParsedNumber | None:
    if number.country_code is None:
        return None
    return _number_of(number.country_code, phonenumbers.national_significant_number(number))


def _number_of(country_code: int, national: str) -> ParsedNumber | None:
    """The number with these national digits, or None if there is none.

    What `number_type()` and `region_code_for_number()` answer, in a fraction of their time.
    """
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(country_code, ())
    for region in regions:
        kinds = _kinds(country_code, region)
        # Of several regions one that has leading digits is known by them alone, the others by having such a number.
        is_it = len(regions) == 1 or (kinds.leading_digits is not None and kinds.leading_digits.match(national))
        kind = kinds.of(national) if is_it or kinds.leading_digits is None else None
        if kind is not None and (real_region := _real_region(region)):
            return ParsedNumber(f"+{country_code}{national}", real_region, country_code, kind)
        if is_it:
            return None
    return None


# In the order in which phonenumbers asks; fixed lines and mobiles come after them, since one pattern may be both.
_SPECIAL_TYPES = (
    NumberType.PREMIUM_RATE, NumberType.TOLL_FREE, NumberType.SHARED_COST, NumberType.VOIP,
    NumberType.PERSONAL_NUMBER, NumberType.PAGER, NumberType.UAN, NumberType.VOICEMAIL,
)  # fmt: skip


class _Kinds:
    """The sorts of numbers of a region: for each length one pattern that tells which it is."""

    def __init__(self, metadata: PhoneMetadata) -> None:
        self.leading_digits = re.compile(metadata.leading_digits) if metadata.leading_digits else None
        self._metadata = metadata
        self._patterns: dict[int, tuple[re.Pattern[str], list[NumberType]] | None] = {}

    def of(self, national: str) -> NumberType | None:
        length = len(national)
        if length not in self._patterns:
            self._patterns[length] = self._for_length(length)
        found = self._patterns[length]
        match = found[0].fullmatch(national) if found else None
        return found[1][match.lastindex - 1] if found and match and match.lastindex else None

    def _for_length(self, length: int) -> tuple[re.Pattern[str], list[NumberType]] | None:
        general = self._pattern("general_desc", length)
        if general is None:
            return None
        sorts = [(kind, self._pattern(kind.value, length)) for kind in _SPECIAL_TYPES]
        fixed, mobile = self._pattern("fixed_line", length), self._pattern("mobile", length)
        if fixed and self._metadata.same_mobile_and_fixed_line_pattern:
            sorts.append((NumberType.FIXED_LINE_OR_MOBILE, fixed))
        else:
            both = f"(?={fixed}$){mobile}" if fixed and mobile else None
            sorts += [(NumberType.FIXED_LINE_OR_MOBILE, both), (NumberType.FIXED_LINE, fixed)]
            sorts.append((NumberType.MOBILE, mobile))
        known = [(kind, pattern) for kind, pattern in sorts if pattern]
        alternatives = "|".join(f"({pattern})$" for _kind, pattern in known) or _NOTHING
        return re.compile(f"(?={general}$)(?:{alternatives})"), [kind for kind, _pattern in known]

    def _pattern(self, name: str, length: int) -> str | None:
        """None if no number of this sort is so long."""
        description = getattr(self._metadata, name)
        if description is None or not description.national_number_pattern:
            return None
        general = self._metadata.general_desc
        lengths = description.possible_length or (general.possible_length if general else ())
        return f"(?:{description.national_number_pattern})" if not lengths or length in lengths else None


@cache
def _kinds(country_code: int, region: str) -> _Kinds:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(country_code, region)
    assert metadata is not None  # the table of country codes names no others
    return _Kinds(metadata)


def _real_region(region: str | None) -> str | None:
    """None for what phonenumbers calls 001, the country codes of international services."""
    return None if region == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY else region


def _assumed_reading(dialled: str, region: str | None) -> ParsedNumber:
    """The only valid reading of digits that are not valid as they stand; raises InvalidPhoneNumber."""
    significant = dialled.lstrip("+0")
    spellings = {canonical(f"+{significant}"), significant, dialled.replace("+", "")}
    readings = [_reading(spelling, region) for spelling in sorted(spellings)]
    found = {number.e164: number for number in readings if number is not None}
    if len(found) > 1:
        raise InvalidPhoneNumber(InvalidNumberCode.AMBIGUOUS, readings=", ".join(found))
    if not found:
        raise _why_invalid(dialled, region)
    (number,) = found.values()
    return ParsedNumber(number.e164, number.region, number.country_code, number.number_type, assumed=True)


def _why_invalid(dialled: str, region: str | None) -> InvalidPhoneNumber:
    """What is most likely wrong with digits that no reading makes valid."""
    count = _digit_count(dialled)
    if count < _SHORTEST_COMMON_DIGITS:
        return InvalidPhoneNumber(InvalidNumberCode.TOO_SHORT, count=count)
    if count > _E164_MAX_DIGITS:
        return InvalidPhoneNumber(InvalidNumberCode.TOO_LONG, count=count)
    try:
        number = phonenumbers.parse(dialled, region)
    except NumberParseException:
        if region is None and "+" not in dialled:
            return InvalidPhoneNumber(InvalidNumberCode.COUNTRY_MISSING)
        return InvalidPhoneNumber(InvalidNumberCode.UNKNOWN_COUNTRY, number=dialled)
    plan_region = _real_region(phonenumbers.region_code_for_country_code(number.country_code or 0))
    if plan_region is None:
        return InvalidPhoneNumber(InvalidNumberCode.NO_COUNTRY, number=dialled)
    # Who is to be texted has a mobile, so its lengths are the ones to compare with.
    length = phonenumbers.is_possible_number_for_type_with_reason(number, PhoneNumberType.MOBILE)
    if length in (ValidationResult.TOO_SHORT, ValidationResult.IS_POSSIBLE_LOCAL_ONLY):
        return InvalidPhoneNumber(InvalidNumberCode.TOO_SHORT, count=count)
    if length == ValidationResult.TOO_LONG:
        return InvalidPhoneNumber(InvalidNumberCode.TOO_LONG, count=count)
    return InvalidPhoneNumber(InvalidNumberCode.NOT_IN_PLAN, region=plan_region)


def _country_code_of(digits: str) -> str:
    """The country code at the start of `digits`; empty if none begins so. No code begins another (E.164)."""
    for length in (1, 2, 3):
        code = digits[:length]
        if code.isdecimal() and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE and code[0] != "0":
            return code
    return ""
