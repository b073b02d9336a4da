"""The part of a campaign's form that says how carefully it starts, and when it stops by itself."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .brakes import settings_problem
from .models import CANARY_WAIT_MINUTES, CanaryThen


class CarefulStartForm(forms.ModelForm):  # type: ignore[type-arg]
    """What is left empty means: no first portion, no brake."""

    canary_then = forms.ChoiceField(
        label=_("If it went well"),
        choices=CanaryThen.choices,
        required=False,
        help_text=_("When a limit below is passed, it pauses in any case."),
    )
    canary_wait_minutes = forms.IntegerField(
        label=_("Wait for their receipts, minutes"),
        required=False,
        min_value=1,
        initial=CANARY_WAIT_MINUTES,
        help_text=_("At most so long after the last of them was sent. Not at all where the gateway reports nothing."),
    )

    def clean_canary_wait_minutes(self) -> int:
        return int(self.cleaned_data["canary_wait_minutes"] or CANARY_WAIT_MINUTES)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if problem := settings_problem(cleaned):
            self.add_error("canary_size", problem)
        return cleaned
