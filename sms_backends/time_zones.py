"""The time zone that a phone number tells, as far as it tells one.

The prefixes come from `phonenumbers` (libphonenumber's map_data.txt). Names are IANA time zones.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from phonenumbers.timezone import UNKNOWN_TIMEZONE
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

# Where most of the country's people (or its government) live; for every region whose numbers may lie in several zones.
REGION_ZONES = {
    "AU": "Australia/Sydney", "AX": "Europe/Mariehamn", "BQ": "America/Kralendijk", "BR": "America/Sao_Paulo",
    "CA": "America/Toronto", "CC": "Indian/Cocos", "CD": "Africa/Kinshasa", "CW": "America/Curacao",
    "CX": "Indian/Christmas", "EC": "America/Guayaquil", "ES": "Europe/Madrid", "FI": "Europe/Helsinki",
    "FM": "Pacific/Pohnpei", "GB": "Europe/London", "GG": "Europe/Guernsey", "GL": "America/Nuuk",
    "ID": "Asia/Jakarta", "IE": "Europe/Dublin", "IM": "Europe/Isle_of_Man", "IT": "Europe/Rome",
    "JE": "Europe/Jersey", "KI": "Pacific/Tarawa", "KZ": "Asia/Almaty", "MN": "Asia/Ulaanbaatar",
    "MX": "America/Mexico_City", "NO": "Europe/Oslo", "NZ": "Pacific/Auckland", "PF": "Pacific/Tahiti",
    "PT": "Europe/Lisbon", "RE": "Indian/Reunion", "RU": "Europe/Moscow", "SJ": "Arctic/Longyearbyen",
    "US": "America/New_York", "VA": "Europe/Vatican", "YT": "Indian/Mayotte",
}  # fmt: skip

# Zones are compared by what their clocks show through one whole year; any recent year will do.
_CLOCK_YEAR = 2026


class NumberZone(NamedTuple):
    """A zone, and whether the number itself says so or it is only the usual one of its region."""

    name: str
    certain: bool


def zone_of(digits: str, region: str) -> NumberZone:
    """The zone of a number or of a prefix (`digits`: country code first, no plus) in `region`.

    Several zones whose clocks always agree (Jersey and London) count as one.
    """
    return _zone_of_prefix(digits[:TIMEZONE_LONGEST_PREFIX], region)


@lru_cache(maxsize=50_000)
def _zone_of_prefix(prefix: str, region: str) -> NumberZone:
    zones = _zones_of_prefix(prefix)
    if len(zones) == 1:
        return NumberZone(zones[0], certain=True)
    usual = REGION_ZONES.get(region) or (zones[0] if zones else "UTC")
    return NumberZone(usual, certain=bool(zones) and all(_clock(zone) == _clock(usual) for zone in zones))


def _zones_of_prefix(prefix: str) -> tuple[str, ...]:
    """The zones listed for the longest known beginning of `prefix`; empty if there is none."""
    for length in range(len(prefix), 0, -1):
        zones = TIMEZONE_DATA.get(prefix[:length])
        if zones:
            return tuple(zone for zone in zones if zone != UNKNOWN_TIMEZONE)
    return ()


@cache
def _clock(zone: str) -> tuple[timedelta | None, ...]:
    """The offsets from UTC at the start of each month."""
    return tuple(datetime(_CLOCK_YEAR, month, 1, tzinfo=ZoneInfo(zone)).utcoffset() for month in range(1, 13))
