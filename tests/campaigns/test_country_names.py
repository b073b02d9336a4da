"""The names of countries, without the places of all telephone numbers that come with them."""

from __future__ import annotations

import re
import subprocess
import sys

import phonenumbers
from django.utils import translation

from campaigns.admin.import_forms import region_choices
from campaigns.country_names import country_name


def test_countries_have_names():
    assert ("RU", "Russia (+7)") in region_choices()


def test_every_country_has_a_name_in_both_languages():
    for region in phonenumbers.SUPPORTED_REGIONS:
        assert country_name(region, "en") != region
        assert not re.search("[A-Za-z*]", country_name(region, "ru")), region


def test_a_reader_of_russian_finds_countries_by_their_russian_names():
    with translation.override("ru"):
        assert ("US", "США (+1)") in region_choices()
        assert ("BY", "Беларусь (+375)") in region_choices()


def test_the_places_of_all_numbers_are_not_loaded():
    program = (
        "import django, sys; django.setup(); from campaigns.admin.import_forms import region_choices as c; c(); "
        "sys.exit('phonenumbers.geodata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
