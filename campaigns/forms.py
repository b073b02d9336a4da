"""The forms of the admin and of the single message: what operators type, in words they understand."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.dates import WEEKDAYS
from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from sms_backends import gateways
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .composing import as_text, normalise_name
from .models import (
    MARKETING_WINDOW,
    Campaign,
    CampaignKind,
    Contact,
    ContactGroup,
    Holiday,
    LateStart,
    MessageStatus,
    OptOut,
    RateUnit,
)
from .preflight import check_body
from .windows import PRESETS

BLANK_ATTRIBUTE_ROWS = 3


def new_nonce() -> str:
    """Names one rendering of a form, so that sending it twice does the thing once."""
    return secrets.token_hex(16)


class PhoneField(forms.CharField):
    """A phone number in any spelling; its clean value is E.164."""

    widget = forms.TextInput(attrs={"type": "tel", "autocomplete": "off", "placeholder": "+7 912 345-67-89"})

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value))
        if text in self.empty_values:
            return ""
        try:
            return parse(text, settings.SMS_DEFAULT_REGION).e164
        except InvalidPhoneNumber as error:
            raise ValidationError(error.reason, code="invalid") from error


class AttributesWidget(forms.Widget):
    """A dictionary as rows of name and value, with a few blank rows to add to it."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        rows = [*dict(value or {}).items(), *[("", "")] * BLANK_ATTRIBUTE_ROWS]
        inputs = format_html_join(
            "",
            '<tr><td><input type="text" name="{}-name" value="{}" aria-label="{}"></td>'
            '<td><input type="text" name="{}-value" value="{}" aria-label="{}"></td></tr>',
            ((name, key, _t("Name of the field"), name, as_text(text), _t("Value")) for key, text in rows),
        )
        return format_html(
            '<table class="attributes" id="{}"><thead><tr><th scope="col">{}</th><th scope="col">{}</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            (attrs or {}).get("id", f"id_{name}"),
            _t("Name"),
            _t("Value"),
            inputs,
        )

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[tuple[str, str]]:
        many = data if isinstance(data, MultiValueDict) else MultiValueDict(data)
        return list(zip(many.getlist(f"{name}-name"), many.getlist(f"{name}-value"), strict=False))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-name" not in data

    def id_for_label(self, id_: str | None) -> str:
        return ""


class AttributesField(forms.Field):
    """A contact's other fields. Values that were not touched keep their kind (a number stays a number)."""

    widget = AttributesWidget

    def clean(self, value: Any) -> dict[str, str]:
        cleaned: dict[str, str] = {}
        known: set[str] = set()
        for name, text in value or []:
            name, text = "_".join(name.split()), text.strip()
            if not name and not text:
                continue
            if not name:
                raise ValidationError(_t("“%(value)s” has no name. Give each value a name.") % {"value": text})
            if normalise_name(name) in known:
                raise ValidationError(_t("“%(name)s” is there twice. Keep one of them.") % {"name": name})
            known.add(normalise_name(name))
            cleaned[name] = text
        return cleaned

    def has_changed(self, initial: Any, data: Any) -> bool:
        before = {name: as_text(value) for name, value in (initial or {}).items()}
        try:
            return before != self.clean(data)
        except ValidationError:
            return True


class ContactForm(forms.ModelForm):  # type: ignore[type-arg]
    """A contact, with its number in any spelling."""

    phone_number = PhoneField(
        label=_("Phone number"), help_text=_("In any spelling; it is stored with its country code.")
    )
    attributes = AttributesField(
        label=_("Other fields"),
        required=False,
        help_text=_(
            "Whatever else you know, for example city: Kazan. In a campaign's text, {{ city }} puts it in. "
            "Clear name and value to remove a field."
        ),
    )

    class Meta:
        model = Contact
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets choose

    def clean_attributes(self) -> dict[str, Any]:
        before = self.instance.attributes if self.instance.pk else {}
        return {
            name: before[name] if name in before and as_text(before[name]) == text else text
            for name, text in self.cleaned_data["attributes"].items()
        }


def gateway_choices() -> list[tuple[str, str]]:
    """The configured gateways by alias."""
    return [(alias, alias) for alias in gateways]


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


class CampaignForm(forms.ModelForm):  # type: ignore[type-arg]
    """What a campaign says, to whom and how; refused when the text cannot work or somebody else was faster."""

    gateway = forms.ChoiceField(label=_("Gateway"), choices=gateway_choices, initial="default")
    hours = forms.ChoiceField(
        label=_("Usual hours"),
        required=False,
        choices=lambda: [("", _("as set below")), *((name, preset.label) for name, preset in PRESETS.items())],
        help_text=_("Where the recipient lives. Replaces what is set below."),
    )
    window_days = DaysField(label=_("On these days"), required=False, help_text=_("None chosen: on all days."))
    max_per_second = forms.IntegerField(
        label=_("At most per second"), required=False, min_value=1, help_text=_("Empty: as fast as the gateway allows.")
    )
    rate_unit = forms.ChoiceField(label=_("counted in"), choices=RateUnit.choices, required=False)
    late_start = forms.ChoiceField(
        label=_("If the start was missed"),
        choices=LateStart.choices,
        required=False,
        help_text=_("What to do when nothing was running here at the time of the start."),
    )
    ends_at = MomentField(
        label=_("Send no later than"),
        required=False,
        help_text=_("What is still waiting then is given up: too late."),
    )
    #: When the campaign was last changed as far as this form knows.
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Campaign
        fields = (
            "name",
            "body",
            "kind",
            "include_groups",
            "exclude_groups",
            "gateway",
            "sender_id",
            "window_start",
            "window_end",
            "window_days",
            "skip_holidays",
            "max_per_second",
            "rate_unit",
            "late_start",
            "ends_at",
        )
        help_texts = {
            "body": _(
                "Placeholders are filled in for each person: {{ first_name }}, {{ last_name }} or any other field, "
                'such as {{ city }}. {{ first_name|default:"friend" }} says “friend” to those without a name; '
                "without a default they are left out."
            ),
        }
        widgets = {
            "body": forms.Textarea(attrs={"rows": 6, "data-segments": "segment-count"}),
            # Not the admin's: it would compare this time of day with the server's clock.
            "window_start": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
            "window_end": forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.fields["version"].initial = campaign_version(self.instance)

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")  # a browser's line ends would cost characters

    def clean_version(self) -> str:
        version = self.cleaned_data["version"]
        if self.instance.pk and version != campaign_version(self.instance):
            self.add_error(None, changed_meanwhile(self.instance.updated_at))
        return str(version)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._fill_in_usual_hours(cleaned)
        self._give_decent_hours(cleaned)
        if cleaned.get("window_start") and cleaned.get("window_start") == cleaned.get("window_end"):
            self.add_error("window_end", _t("The sending window has no length. Empty both times to send at any hour."))
        if "body" in cleaned:
            include = [group.pk for group in cleaned.get("include_groups", ())]
            exclude = [group.pk for group in cleaned.get("exclude_groups", ())]
            for problem in check_body(cleaned["body"], include, exclude):
                self.add_error("body", problem)
        return cleaned

    def _fill_in_usual_hours(self, cleaned: dict[str, Any]) -> None:
        if preset := PRESETS.get(cleaned.get("hours", "")):
            cleaned["window_start"], cleaned["window_end"] = preset.start, preset.end
            cleaned["window_days"], cleaned["skip_holidays"] = list(preset.days), preset.skip_holidays

    def _give_decent_hours(self, cleaned: dict[str, Any]) -> None:
        """A new marketing campaign goes out by day, unless its author says otherwise now or later."""
        no_window = not cleaned.get("window_start") and not cleaned.get("window_end")
        if self.instance.pk is None and cleaned.get("kind") == CampaignKind.MARKETING and no_window:
            cleaned["window_start"], cleaned["window_end"] = MARKETING_WINDOW


def campaign_version(campaign: Campaign) -> str:
    """Differs after every change of a campaign."""
    return campaign.updated_at.isoformat()


def changed_meanwhile(at: datetime) -> str:
    """Tells whoever has an outdated page in front of them what to do."""
    return _t(
        "The campaign was changed at %(time)s, after you opened this page, so nothing was saved or started. "
        "Keep a copy of what you wrote, reload the page and look at it again."
    ) % {"time": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")}


class ScheduleForm(forms.Form):
    """When a campaign starts, in the zone of whoever types it."""

    at = MomentField(label=_("Start at"))


class SendTestForm(forms.Form):
    """One message of a campaign to a number of one's own."""

    phone = PhoneField(label=_("Phone number"), help_text=_("In any spelling. One message is sent to this number now."))
    nonce = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)


class HolidayForm(forms.ModelForm):  # type: ignore[type-arg]
    """A day on which nobody should get a text."""

    class Meta:
        model = Holiday
        fields = ("date", "country", "name")
        widgets = {"date": forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")}

    def clean_country(self) -> str:
        country = str(self.cleaned_data["country"]).upper()
        if country and country not in SUPPORTED_REGIONS:
            raise ValidationError(_t("“%(country)s” is no country's two letters, such as RU.") % {"country": country})
        return country


class RateForm(forms.Form):
    """How fast messages go."""

    max_per_second = forms.IntegerField(label=_("At most per second"), required=False, min_value=1, max_value=1_000_000)
    rate_unit = forms.ChoiceField(label=_("counted in"), choices=RateUnit.choices)


class AddToGroupForm(forms.Form):
    """A group to put contacts into: one that is there, or a new one."""

    group = forms.ModelChoiceField(ContactGroup.objects.all(), label=_("To the group"), required=False)
    new_group = forms.CharField(label=_("or to a new group named"), max_length=150, required=False)

    def clean_new_group(self) -> str:
        name = str(self.cleaned_data["new_group"])
        if name and ContactGroup.objects.filter(name=name).exists():
            raise ValidationError(_t("There is a group with this name already. Choose it above."))
        return name

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if not self.errors and bool(cleaned.get("group")) == bool(cleaned.get("new_group")):
            raise ValidationError(_t("Choose a group, or give the name of a new one."))
        return cleaned


class OptOutForm(forms.ModelForm):  # type: ignore[type-arg]
    """A number that must not be written to again."""

    phone_number = PhoneField(label=_("Phone number"), help_text=_("In any spelling."))

    class Meta:
        model = OptOut
        fields = ("phone_number", "note")


class ReasonForm(forms.Form):
    """Why something is done; it goes into the audit trail."""

    note = forms.CharField(label=_("Reason"), widget=forms.Textarea(attrs={"rows": 3}))


class ResendForm(forms.Form):
    """Who gets a campaign's text again. `counts` are the states to choose from, each with its number of people."""

    statuses = forms.MultipleChoiceField(
        label=_("Send again to the people whose message is"), widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, counts: Mapping[MessageStatus, int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = cast(forms.MultipleChoiceField, self.fields["statuses"])
        field.choices = [
            (status.value, _t("%(status)s: %(count)s") % {"status": status.label, "count": number_format(count)})
            for status, count in counts.items()
        ]
        # The unknown are a risk that is chosen, not left unchosen.
        field.initial = [status.value for status in counts if status != MessageStatus.UNKNOWN]


class QuickSendForm(forms.Form):
    """One text to one number. `nonce` makes two clicks one message."""

    phone = PhoneField(label=_("Phone number"), help_text=_("In any spelling."))
    message_text = forms.CharField(
        label=_("Text"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "data-segments": "segment-count"}),
    )
    nonce = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def clean_message_text(self) -> str:
        text = str(self.cleaned_data["message_text"]).replace("\r\n", "\n")
        if not text.strip():
            raise ValidationError(_t("The text is empty."))
        return text
