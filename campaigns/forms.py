"""The forms of the admin and of the single message: what operators type, in words they understand."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, cast

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from phonenumbers import SUPPORTED_REGIONS

from sms_backends import gateways
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from . import approval
from .attribute_inputs import AttributeInput, AttributesField, attribute_field
from .attributes import known_attributes, taken
from .brakes import BRAKES, CANARY
from .composing import as_text, normalise_name
from .form_fields import DaysField, MomentField
from .models import (
    MARKETING_WINDOW,
    Campaign,
    CampaignKind,
    Consent,
    ConsentKind,
    Contact,
    ContactGroup,
    Holiday,
    LateStart,
    MessageStatus,
    OptOut,
    RateUnit,
)
from .windows import PRESETS
from .writing_form import WritingForm


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


class KindField(forms.ChoiceField):
    """What a consent covers; a form that leaves it out changes nothing about it."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(data) and super().has_changed(initial, data)


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

    consent_kind = KindField(label=_("Consent to"), choices=ConsentKind.choices, required=False)

    class Meta:
        model = Contact
        fields = "__all__"  # noqa: DJ007 - the admin's fieldsets choose

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.defined = {attribute_field(it): it for it in known_attributes()}
        self._split_attributes()
        if "groups" in self.fields:  # nobody is put into a smart group by hand
            self.fields["groups"].queryset = ContactGroup.objects.filter(conditions__isnull=True)  # type: ignore[attr-defined]

    def _split_attributes(self) -> None:
        """An input for each attribute that is defined; the others stay together."""
        rest = dict(self.initial.get("attributes") or {})
        for field, attribute in self.defined.items():
            value = taken(rest, attribute.name)
            self.fields[field] = AttributeInput(attribute, value)
            self.initial[field] = value
        if self.defined:
            self.initial["attributes"] = rest

    def clean_phone_number(self) -> str:
        """Whose number it is may be in the archive, where no list shows them."""
        number = str(self.cleaned_data["phone_number"])
        archived = Contact.objects.archived().filter(phone_number=number).exclude(pk=self.instance.pk).first()
        if archived is not None:
            said = _t('This number belongs to <a href="{}">a contact in the archive</a>, who can be brought back.')
            page = reverse("admin:campaigns_contact_change", args=[archived.pk])
            raise ValidationError(format_html(said, page))
        return number

    def clean_consent_kind(self) -> str:
        return str(self.cleaned_data["consent_kind"] or self.instance.consent_kind)

    def clean_attributes(self) -> dict[str, Any]:
        before = self.instance.attributes if self.instance.pk else {}
        for name in self.cleaned_data["attributes"]:
            known = [it for it in self.defined.values() if normalise_name(it.name) == normalise_name(name)]
            if known:
                raise ValidationError(_t("“%(name)s” has an input of its own above.") % {"name": known[0]})
        return {
            name: before[name] if name in before and as_text(before[name]) == text else text
            for name, text in self.cleaned_data["attributes"].items()
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        newly_given = "consent" in self.changed_data and cleaned.get("consent") == Consent.GIVEN
        if newly_given and not cleaned.get("consent_source"):
            self.add_error("consent_source", _t("Say where the consent comes from: it may have to be proved."))
        values = {it.name: cleaned.get(field, "") for field, it in self.defined.items()}
        if "attributes" in cleaned:
            cleaned["attributes"] |= {name: value for name, value in values.items() if value != ""}
        return cleaned


def gateway_choices() -> list[tuple[str, str]]:
    """The configured gateways by alias."""
    return [(alias, alias) for alias in gateways]


class CampaignForm(WritingForm):
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

    class Meta:
        model = Campaign
        fields = (
            "name",
            "body",
            "template",
            "texts",
            "kind",
            "include_groups",
            "exclude_groups",
            "gateway",
            "sender_id",
            "spend_limit",
            "window_start",
            "window_end",
            "window_days",
            "skip_holidays",
            "max_per_second",
            "rate_unit",
            "late_start",
            "ends_at",
            *CANARY,
            *BRAKES,
        )
        help_texts = {
            "kind": _(
                "Marketing is advertising: it goes to people whose consent to it is recorded. Service is what "
                "belongs to an order, an appointment or the like."
            ),
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

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._fill_in_usual_hours(cleaned)
        self._give_decent_hours(cleaned)
        if cleaned.get("window_start") and cleaned.get("window_start") == cleaned.get("window_end"):
            self.add_error("window_end", _t("The sending window has no length. Empty both times to send at any hour."))
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


class AddToGroupForm(forms.Form):
    """A group to put contacts into: one that is there, or a new one."""

    group = forms.ModelChoiceField(
        ContactGroup.objects.filter(conditions__isnull=True, archived_at__isnull=True),
        label=_("To the group"),
        required=False,
    )
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
    """
    Who gets a campaign's text again. `counts` are the states to choose from, each with its number of people.

    `largest` is the size of all of them together: what so much may need is asked for.
    """

    statuses = forms.MultipleChoiceField(
        label=_("Send again to the people whose message is"), widget=forms.CheckboxSelectMultiple
    )

    typed = forms.CharField(
        label=_("Number of people"),
        required=False,
        max_length=20,
        help_text=_("To send so much, type how many people you have chosen."),
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    question = forms.CharField(
        label=_("A word to whoever approves"),
        required=False,
        help_text=_("So much needs the approval of a second person."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )

    def __init__(
        self, *args: Any, counts: Mapping[MessageStatus, int], largest: approval.Size | None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        if largest is None or not approval.must_be_typed(largest):
            del self.fields["typed"]
        if largest is None or not approval.must_be_approved(largest):
            del self.fields["question"]
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
