"""What operators type about a gateway: its pace, its prices, and what may be spent."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from .models import GatewayPrice, PriceList, RateUnit
from .prices import currency_problem


class RateForm(forms.Form):
    """How fast messages go."""

    max_per_second = forms.IntegerField(label=_("At most per second"), required=False, min_value=1, max_value=1_000_000)
    rate_unit = forms.ChoiceField(label=_("counted in"), choices=RateUnit.choices)


class LimitForm(forms.Form):
    """How much may be spent, in the currency of the gateway's prices; empty: any amount."""

    limit = forms.DecimalField(required=False, min_value=0, max_digits=14, decimal_places=2)

    def __init__(self, *args: Any, label: Any = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["limit"].label = label


class PriceListForm(forms.ModelForm):  # type: ignore[type-arg]
    """The currency of a gateway's prices."""

    price_currency = forms.CharField(
        label=_("Currency"),
        min_length=3,
        max_length=3,
        widget=forms.TextInput(attrs={"size": 5, "autocapitalize": "characters"}),
        help_text=_("Three letters, such as EUR or RUB. Spend limits are in this currency too."),
    )

    class Meta:
        model = PriceList
        fields = ("price_currency",)

    def clean_price_currency(self) -> str:
        currency = str(self.cleaned_data["price_currency"]).upper()
        before = str(self.initial.get("price_currency", ""))
        if problem := currency_problem(self.instance.alias, before, currency):
            raise forms.ValidationError(problem)
        return currency


class PriceForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a segment costs; the prefix in any spelling."""

    class Meta:
        model = GatewayPrice
        fields = ("prefix", "per_segment")
        widgets = {"prefix": forms.TextInput(attrs={"inputmode": "tel", "placeholder": _("all others"), "size": 16})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            # As it was typed, not with all the digits that the database keeps.
            self.initial["per_segment"] = f"{self.instance.per_segment.normalize():f}"

    def clean_prefix(self) -> str:
        return "".join(c for c in str(self.cleaned_data["prefix"]) if c not in "+-() \N{NO-BREAK SPACE}")
