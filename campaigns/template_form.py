"""The forms of a saved text and its other languages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _t

from .composing import Template, TemplateError
from .languages import language_tag
from .models import MessageTemplate, TemplateText


def check_braces(body: str) -> str:
    """The text with plain line ends. Raises ValidationError in words when its placeholders are not understood."""
    body = body.replace("\r\n", "\n")
    try:
        Template(body)
    except TemplateError as error:
        raise ValidationError(str(error)) from error
    return body


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]
    """A saved text."""

    class Meta:
        model = MessageTemplate
        fields = ("name", "body", "is_archived")
        widgets = {"body": forms.Textarea(attrs={"rows": 6, "data-segments": "segment-count"})}

    def clean_body(self) -> str:
        return check_braces(str(self.cleaned_data["body"]))


class TemplateTextForm(forms.ModelForm):  # type: ignore[type-arg]
    """A saved text in one more language."""

    class Meta:
        model = TemplateText
        fields = ("language", "body")
        widgets = {"body": forms.Textarea(attrs={"rows": 4, "cols": 60})}

    def clean_language(self) -> str:
        tag = language_tag(str(self.cleaned_data["language"]))
        if not tag:
            raise ValidationError(_t("Say which language this is: ru, en, pt-BR."))
        return tag

    def clean_body(self) -> Any:
        return check_braces(str(self.cleaned_data["body"]))
