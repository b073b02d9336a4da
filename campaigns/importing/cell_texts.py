"""What a spreadsheet's cell shows, as text."""

from __future__ import annotations

import datetime
from typing import Any

from .tables import tidied


def as_text(value: Any) -> str:
    """What the cell shows. Excel keeps every number as a fraction; a phone number must not become 79121234567.0."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}"
    if isinstance(value, datetime.datetime) and value.time() == datetime.time():
        return value.date().isoformat()
    if isinstance(value, datetime.datetime | datetime.date | datetime.time):
        return value.isoformat()
    return tidied(str(value).replace("\0", ""))
