"""What somebody types who asks why a number got nothing."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms
from django.conf import settings
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .models import Campaign

CAMPAIGNS_OFFERED = 100


class WhyNotForm(forms.Form):
    """
    A number in any spelling and a campaign: the newest are offered, and whichever is asked for.

    `known` are numbers by what is shown of them: whoever may not see a whole number can ask about it all the same.
    """

    number = forms.CharField(
        label=_("Phone number"),
        max_length=40,
        widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "placeholder": "+7 912 345-67-89"}),
    )
    campaign = forms.ModelChoiceField(Campaign.objects.none(), label=_("Campaign"), empty_label=_("Choose one"))

    def __init__(self, *args: object, known: Mapping[str, str], **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self._known = known
        asked = str(self.data.get("campaign") or self.initial.get("campaign") or "")
        newest = list(Campaign.objects.order_by("-pk").values_list("pk", flat=True)[:CAMPAIGNS_OFFERED])
        wanted = Q(pk__in=newest) | (Q(pk=int(asked)) if asked.isdecimal() and len(asked) < 19 else Q())
        field = self.fields["campaign"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Campaign.objects.filter(wanted).order_by("-pk")

    def clean_number(self) -> str:
        """As E.164."""
        typed = self.cleaned_data["number"]
        try:
            return parse(self._known.get(typed, typed), settings.SMS_DEFAULT_REGION).e164
        except InvalidPhoneNumber as error:
            raise forms.ValidationError(error.reason) from error
