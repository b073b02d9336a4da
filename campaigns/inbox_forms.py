"""Forms of the inbox, of keywords and of erasing."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from . import keywords
from .forms import PhoneField
from .forwarding import mail_is_set_up
from .keyword_packs import PACKS
from .models import AutomaticReply, ReplyKeyword

LANGUAGES = {
    "en": _("English"),
    "ru": _("Russian"),
    "es": _("Spanish"),
    "fr": _("French"),
    "de": _("German"),
    "pt": _("Portuguese"),
    "tr": _("Turkish"),
}


def _with_plain_line_ends(text: str) -> str:
    return text.replace("\r\n", "\n")  # a browser's line ends would cost characters


class AnswerForm(forms.Form):
    """What is written back. `nonce` makes two clicks one message."""

    text = forms.CharField(
        label=_("Answer"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 3, "data-segments": "segment-count"}),
    )
    nonce = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)

    def clean_text(self) -> str:
        text = _with_plain_line_ends(str(self.cleaned_data["text"]))
        if not text.strip():
            raise ValidationError(_t("The text is empty."))
        return text


class KeywordForm(forms.ModelForm):  # type: ignore[type-arg]
    """A word of the installation's own; refused where it would take the place of another."""

    forward_to_phone = PhoneField(
        label=_("Pass on to the phone"), required=False, help_text=_("As an SMS, with the sender's number.")
    )

    class Meta:
        model = ReplyKeyword
        fields = ("word", "reply", "groups", "forward_to_phone", "forward_to_email", "is_active")
        widgets = {"reply": forms.Textarea(attrs={"rows": 3, "data-segments": "segment-count"})}

    def clean_word(self) -> str:
        word = str(self.cleaned_data["word"]).strip()
        normalised = keywords.normalised(word)
        if not normalised:
            raise ValidationError(_t("Write at least one letter or digit."))
        if meaning := keywords.clashes(normalised):
            raise ValidationError(
                _t("“%(word)s” is understood as “%(meaning)s” already.") % {"word": word, "meaning": meaning.label}
            )
        if ReplyKeyword.objects.filter(normalised=normalised).exclude(pk=self.instance.pk).exists():
            raise ValidationError(_t("There is a keyword “%(word)s” already.") % {"word": word})
        return word

    def clean_reply(self) -> str:
        return _with_plain_line_ends(self.cleaned_data["reply"])

    def clean_forward_to_phone(self) -> str:
        number = str(self.cleaned_data["forward_to_phone"])
        if number and not settings.SMS_FORWARD_TO_PHONES:
            raise ValidationError(_t("This installation passes nothing on to phones (SMS_FORWARD_TO_PHONES)."))
        return number

    def clean_forward_to_email(self) -> str:
        address = str(self.cleaned_data["forward_to_email"])
        if address and not mail_is_set_up():
            raise ValidationError(_t("This installation sends no mail: EMAIL_URL is not set."))
        return address

    def save(self, commit: bool = True) -> Any:
        self.instance.normalised = keywords.normalised(self.instance.word)
        return super().save(commit)


class AutomaticReplyForm(forms.ModelForm):  # type: ignore[type-arg]
    """The answer to STOP, START or HELP in one of the languages that have such words."""

    language = forms.ChoiceField(
        label=_("Language"), choices=[(pack.language, LANGUAGES[pack.language]) for pack in PACKS]
    )

    class Meta:
        model = AutomaticReply
        fields = ("meaning", "language", "text")
        widgets = {"text": forms.Textarea(attrs={"rows": 3, "data-segments": "segment-count"})}

    def clean_text(self) -> str:
        return _with_plain_line_ends(self.cleaned_data["text"])


class TryForm(forms.Form):
    """A text of which one wants to know what it would be understood as."""

    text = forms.CharField(label=_("A message"), max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))


class PersonForm(forms.Form):
    """Whose data: by number, since that is who a contact is."""

    phone_number = PhoneField(label=_("Phone number"), help_text=_("In any spelling."))


class ErasureForm(PersonForm):
    """Whom to erase, why, and that it is meant."""

    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_("Who asked for it and how. It is kept: do not name the person."),
    )
    is_sure = forms.BooleanField(label=_("I know that this cannot be undone."))
