"""How dates are written: in words or short, and times never without their zone."""

from __future__ import annotations

DATE_FORMAT = "j E Y"
SHORT_DATE_FORMAT = "d.m.Y"
DATETIME_FORMAT = "j E Y, H:i T"
SHORT_DATETIME_FORMAT = "d.m.Y, H:i T"
TIME_FORMAT = "H:i"
