"""Times in the middle of sentences, which are plain text."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _


def spoken(value: datetime | None) -> str:
    """A time in the reader's zone, with the zone named; words for none."""
    if value is None:
        return _("an unknown time")
    local = timezone.localtime(value)
    return f"{date_format(local, 'j M Y, H:i')} {local.tzname()}"
