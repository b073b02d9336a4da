"""The part of a campaign's form that is written: its texts, where they come from, and who has written meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils import timezone
from django.utils.datastructures import MultiValueDict
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from .careful_form import CarefulStartForm
from .languages import language_tag
from .models import Campaign, CampaignDraft, MessageTemplate
from .preflight import check_texts

LONGEST_TAG = 10


class TextsWidget(forms.Widget):
    """Texts by language, each with a field for its language, and a blank one to add to them."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        rows = [*(value.items() if isinstance(value, dict) else value or ()), ("", "")]
        fields = format_html_join(
            "",
            '<div class="language-text"><input type="text" name="{}-language" value="{}" aria-label="{}" '
            'placeholder="{}" maxlength="{}" size="8"><textarea name="{}-body" rows="4" cols="40" aria-label="{}" '
            'data-segments="segment-count-{}">{}</textarea></div>',
            (
                (
                    name,
                    language,
                    _t("Language of text %(number)s") % {"number": number + 2},
                    "ru",
                    LONGEST_TAG,
                    name,
                    _t("Text %(number)s") % {"number": number + 2},
                    number + 2,
                    f"\n{text}" if text.startswith("\n") else text,
                )
                for number, (language, text) in enumerate(rows)
            ),
        )
        return format_html('<div class="language-texts" id="{}">{}</div>', (attrs or {}).get("id", name), fields)

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[tuple[str, str]]:
        many = data if isinstance(data, MultiValueDict) else MultiValueDict(data)
        rows = zip(many.getlist(f"{name}-language"), many.getlist(f"{name}-body"), strict=False)
        return [(language, text.replace("\r\n", "\n")) for language, text in rows if language.strip() or text.strip()]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return f"{name}-language" not in data

    def id_for_label(self, id_: str | None) -> str:
        return ""


class TextsField(forms.Field):
    """Texts by language; the clean value is a dictionary by language tag."""

    widget = TextsWidget

    def clean(self, value: Any) -> dict[str, str]:
        cleaned: dict[str, str] = {}
        for language, text in value or []:
            tag = language_tag(language)
            if not tag:
                raise ValidationError(_t("“%(text)s” has no language. Say which it is in.") % {"text": text[:40]})
            if len(tag) > LONGEST_TAG:
                raise ValidationError(_t("“%(tag)s” is no language. Write ru, en or pt-BR.") % {"tag": tag[:40]})
            if not text.strip():
                raise ValidationError(_t("The text in “%(language)s” is empty.") % {"language": language})
            if tag in cleaned:
                raise ValidationError(_t("“%(language)s” is there twice. Keep one.") % {"language": language})
            cleaned[tag] = text
        return cleaned

    def has_changed(self, initial: Any, data: Any) -> bool:
        return dict(initial or {}) != dict(data or [])


class TemplateSelect(forms.Select):
    """The templates, and the button that puts the texts of one into the form."""

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        return format_html(
            '<div class="template-choice">{}<button type="submit" class="button" name="_use_template" value="1">{}'
            "</button></div>",
            super().render(name, value, attrs, renderer),
            _t("Put in its texts"),
        )


class TemplateField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Where the texts come from. What is archived stays chosen where it was, and is not offered elsewhere."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            MessageTemplate.objects.filter(is_archived=False), required=False, widget=TemplateSelect, **kwargs
        )


class WritingForm(CarefulStartForm):
    """
    Texts and versions. `draft` is what this person typed earlier and did not save; the form begins with it.

    Pressed `_use_template` or `_check` the form is shown again with texts filled in or looked at, and nothing is saved.
    """

    draft: CampaignDraft | None = None
    texts = TextsField(
        label=_("In other languages"),
        required=False,
        help_text=_(
            "Contacts whose language it is get this text instead; everybody else gets the text above. The language is "
            "written as the contacts have it: ru, en, pt-BR."
        ),
    )
    template = TemplateField(label=_("Template"), help_text=_("Its texts are copied; you can change them here."))
    #: The campaign as this form knows it.
    version = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        #: Somebody saved while this form was open: the campaign as it is now. Both texts are shown.
        self.theirs: Campaign | None = None
        self.is_only_looked_at = bool(data) and ("_use_template" in data or "_check" in data)
        if data and "_use_template" in data:
            data = with_template(data)
        super().__init__(data, *args, **kwargs)
        self._offer_chosen_template()
        if self.instance.pk:
            self.fields["version"].initial = campaign_version(self.instance)
        if not self.is_bound and self.draft is not None:
            self.initial = {**self.initial, **typed(self, self.draft.fields), "version": self.draft.base}
            if self.instance.pk and self.draft.base != campaign_version(self.instance):
                self.theirs = self.instance

    def _offer_chosen_template(self) -> None:
        """An archived template stays chosen where it was."""
        if self.instance.template_id:
            offered = MessageTemplate.objects.filter(is_archived=False)
            chosen = MessageTemplate.objects.filter(pk=self.instance.template_id)
            self.fields["template"].queryset = offered | chosen  # type: ignore[attr-defined]

    def clean_body(self) -> str:
        return str(self.cleaned_data["body"]).replace("\r\n", "\n")  # a browser's line ends would cost characters

    def clean_version(self) -> str:
        version = str(self.cleaned_data["version"])
        if not self.instance.pk:
            return version
        now = campaign_version(self.instance)
        # Whoever has seen the other text may decide for their own, and only over that very one.
        if now not in (version, self.data.get("_over", "")):
            self.theirs = Campaign.objects.get(pk=self.instance.pk)
            self.add_error(None, changed_meanwhile(self.instance.updated_at))
        return version

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        if self.is_only_looked_at:
            self.add_error(None, _t("Nothing is saved yet. Look at the texts below, then save."))
            return cleaned
        if "body" in cleaned:
            include = [group.pk for group in cleaned.get("include_groups", ())]
            exclude = [group.pk for group in cleaned.get("exclude_groups", ())]
            for problem in check_texts(cleaned["body"], cleaned.get("texts", {}), include, exclude):
                self.add_error("body", problem)
        return cleaned


def typed(form: forms.ModelForm[Any], fields: Mapping[str, list[str]]) -> dict[str, Any]:
    """What a browser sent, as the values that the fields of a form begin with."""
    data = MultiValueDict(fields)
    return {
        name: field.widget.value_from_datadict(data, MultiValueDict(), name)
        for name, field in form.fields.items()
        if name != "version"
    }


def with_template(data: QueryDict) -> QueryDict:
    """The form with the texts of the template that is chosen in it."""
    template = MessageTemplate.objects.filter(pk=data.get("template") or 0).first()
    if template is None:
        return data
    data = data.copy()
    texts = template.texts_by_language()
    data["body"] = template.body
    data.setlist("texts-language", list(texts))
    data.setlist("texts-body", list(texts.values()))
    return data


def campaign_version(campaign: Campaign) -> str:
    """Differs after every change of a campaign."""
    return campaign.updated_at.isoformat()


def changed_meanwhile(at: datetime) -> str:
    """Tells whoever has an outdated page in front of them what to do."""
    return _t(
        "The campaign was changed at %(time)s, after you opened this page, so nothing was saved or started. "
        "Keep a copy of what you wrote, reload the page and look at it again."
    ) % {"time": date_format(timezone.localtime(at), "SHORT_DATETIME_FORMAT")}
