"""The names of countries, without the places of all telephone numbers that come with them."""

from __future__ import annotations

import subprocess
import sys

from campaigns.admin.imports import region_choices


def test_countries_have_names():
    assert ("RU", "Russia (+7)") in region_choices()


def test_the_places_of_all_numbers_are_not_loaded():
    program = (
        "import django, sys; django.setup(); from campaigns.admin.imports import region_choices; region_choices(); "
        "sys.exit('phonenumbers.geodata' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
