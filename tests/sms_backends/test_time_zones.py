"""Prefixes to time zones; what whole numbers tell is in test_phone_numbers.py."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from sms_backends.time_zones import REGION_ZONES, zone_of


@pytest.mark.parametrize("region", sorted(REGION_ZONES))
def test_the_usual_zone_of_a_region_exists(region: str) -> None:
    assert ZoneInfo(REGION_ZONES[region]).key == REGION_ZONES[region]


def test_a_prefix_that_nobody_has_is_utc_and_not_certain() -> None:
    assert zone_of("999123", "ZZ") == ("UTC", False)


def test_a_longer_prefix_tells_more_than_a_shorter_one() -> None:
    assert zone_of("7", "RU") == ("Europe/Moscow", False)
    assert zone_of("7383", "RU") == ("Asia/Novosibirsk", True)


def test_zones_whose_clocks_always_agree_count_as_one() -> None:
    assert zone_of("44", "GB") == ("Europe/London", True)
    assert zone_of("44", "JE") == ("Europe/Jersey", True)
    assert zone_of("34", "ES") == ("Europe/Madrid", False), "the Canary Islands are an hour behind"
