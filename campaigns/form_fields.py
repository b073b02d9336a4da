"""Fields of forms that Django has not: a moment in two inputs, days of the week."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext_lazy as _

_DATE_ATTRS: dict[str, Any] = {"type": "date", "aria-label": _("Date")}
_TIME_ATTRS: dict[str, Any] = {"type": "time", "aria-label": _("Time")}


class MomentField(forms.SplitDateTimeField):
    """A date and a time of day, in the zone of whoever types them."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.SplitDateTimeWidget(
            date_attrs=_DATE_ATTRS, time_attrs=_TIME_ATTRS, date_format="%Y-%m-%d", time_format="%H:%M"
        )
        super().__init__(
            widget=widget, input_date_formats=["%Y-%m-%d"], input_time_formats=["%H:%M", "%H:%M:%S"], **kwargs
        )


class DaysField(forms.TypedMultipleChoiceField):
    """Days of the week; its clean value is the list of their numbers, Monday is 1."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, **kwargs: Any) -> None:
        days = [(number + 1, name) for number, name in WEEKDAYS.items()]
        super().__init__(choices=days, coerce=int, **kwargs)
