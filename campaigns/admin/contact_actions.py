"""What the pages say and ask that stand before an action on many contacts or messages."""

from __future__ import annotations

from datetime import date, datetime, time
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from campaigns.attributes import clean_attribute, known_attributes
from campaigns.bulk.files import MOST_XLSX_ROWS
from campaigns.composing import as_text, normalise_name
from campaigns.forms import AddToGroupForm
from campaigns.models import AttributeKind, Consent, ConsentKind, ContactGroup

from .bulk import Asked
from .display import count

OTHER = "\x00"


class RemoveFromGroupForm(forms.Form):
    """A group to take contacts out of."""

    group = forms.ModelChoiceField(ContactGroup.objects.filter(conditions__isnull=True), label=_("Out of the group"))


class SetAttributeForm(forms.Form):
    """A field and the value that all get."""

    name = forms.ChoiceField(label=_("Field"), required=False)
    new_name = forms.CharField(
        label=_("or another field named"), max_length=100, required=False, help_text=_("For example city.")
    )
    value = forms.CharField(
        label=_("Value"), max_length=1000, required=False, help_text=_("Empty: the field is emptied.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._known = {attribute.name: attribute for attribute in known_attributes()}
        field = self.fields["name"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "–"), *((name, str(attribute)) for name, attribute in self._known.items())]
        if not self._known:
            del self.fields["name"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        new_name = "_".join(cleaned.get("new_name", "").split())
        if bool(cleaned.get("name")) == bool(new_name):
            raise ValidationError(_t("Choose a field, or write the name of another one."))
        by_key = {normalise_name(name): attribute for name, attribute in self._known.items()}
        attribute = by_key.get(normalise_name(cleaned.get("name") or new_name))
        cleaned["name"] = attribute.name if attribute else new_name
        try:
            cleaned["value"] = clean_attribute(
                attribute.kind if attribute else AttributeKind.TEXT, cleaned.get("value", "")
            )
        except ValueError as error:
            self.add_error("value", str(error))
        return cleaned


class ConsentForm(forms.Form):
    """What many people agreed to or withdrew, and how that is known."""

    consent = forms.ChoiceField(
        label=_("What happened"),
        choices=[(Consent.GIVEN, _("They agreed")), (Consent.WITHDRAWN, _("They withdrew their consent"))],
        widget=forms.RadioSelect,
    )
    kind = forms.ChoiceField(
        label=_("They agreed to"), choices=ConsentKind.choices, initial=ConsentKind.MARKETING, required=False
    )
    source = forms.CharField(
        label=_("Source"), max_length=150, help_text=_("Where it happened, such as “order form on the site”.")
    )
    evidence = forms.CharField(
        label=_("Proof"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("What you would show if asked: the wording they agreed to, a document's number, a link."),
    )
    agreed_on = forms.DateField(
        label=_("When they agreed"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=_("Empty: today."),
    )

    def clean_agreed_on(self) -> date | None:
        day: date | None = self.cleaned_data["agreed_on"]
        if day and day > timezone.localdate():
            raise ValidationError(_t("This day has not come yet."))
        return day


class EraseForm(forms.Form):
    """Why they are erased."""

    reason = forms.CharField(
        label=_("Reason"),
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_("Who asked for it and how. Do not name the people."),
    )


class ExportForm(forms.Form):
    """The kind of file."""

    format = forms.ChoiceField(
        label=_("Kind of file"),
        choices=[("xlsx", _("Excel (.xlsx)")), ("csv", _("CSV (.csv)"))],
        initial="xlsx",
        help_text=_("Only you can download it, for some days. That you exported it is recorded."),
    )

    def clean_format(self) -> str:
        chosen = str(self.cleaned_data["format"])
        selection = getattr(self, "selection", None)
        if chosen == "xlsx" and selection is not None and selection.count >= MOST_XLSX_ROWS:
            raise ValidationError(
                _t("An Excel file can hold %(count)s rows at most. Choose CSV.") % {"count": count(MOST_XLSX_ROWS - 1)}
            )
        return chosen


def _group(form: AddToGroupForm) -> dict[str, Any]:
    with transaction.atomic():
        group = form.cleaned_data["group"] or ContactGroup.objects.create(name=form.cleaned_data["new_group"])
    return {"group": group.pk}


def _attribute(form: SetAttributeForm) -> dict[str, Any]:
    value = form.cleaned_data["value"]
    return {"name": form.cleaned_data["name"], "value": value, "shown": as_text(value)}


def _consent(form: ConsentForm) -> dict[str, Any]:
    said = form.cleaned_data
    day = said["agreed_on"] if said["consent"] == Consent.GIVEN else None
    at = timezone.make_aware(datetime.combine(day, time())).isoformat() if day else ""
    kind = said["kind"] or ConsentKind.MARKETING
    return {**{name: str(said[name]) for name in ("consent", "source", "evidence")}, "kind": str(kind), "at": at}


EXPORT = Asked(
    title=_("Export"),
    explanation=ngettext_lazy(
        "%(count)s row will be written into a file.", "%(count)s rows will be written into a file.", "number"
    ),
    button=_("Export"),
    form_class=ExportForm,
    parameters=lambda form: {"format": form.cleaned_data["format"]},
)
#: Of what can be done with many, what is offered for the archive.
FOR_ARCHIVED = frozenset({"restore_contacts", "export", "opt_out", "erase"})
CONTACT_ACTIONS = {
    "add_to_group": Asked(
        title=_("Add to a group"),
        explanation=_("Chosen: %(people)s."),
        button=_("Add to the group"),
        form_class=AddToGroupForm,
        parameters=_group,
    ),
    "remove_from_group": Asked(
        title=_("Take out of a group"),
        explanation=_("Chosen: %(people)s. Who is not in the group is left as they are."),
        button=_("Take out of the group"),
        form_class=RemoveFromGroupForm,
        parameters=lambda form: {"group": form.cleaned_data["group"].pk},
    ),
    "set_attribute": Asked(
        title=_("Set a field"),
        explanation=_("Chosen: %(people)s. What they had in this field is replaced."),
        button=_("Set the field"),
        form_class=SetAttributeForm,
        parameters=_attribute,
    ),
    "export": EXPORT,
    "opt_out": Asked(
        title=_("Opt out"),
        explanation=_(
            "%(people)s will get no more messages, in whatever campaign, and also after another import. "
            "What is waiting for them is not sent."
        ),
        button=ngettext_lazy("Opt out %(count)s number", "Opt out %(count)s numbers", "number"),
    ),
    "consent": Asked(
        title=_("Record consent"),
        explanation=_(
            "Chosen: %(people)s. That they agreed is written down for those whose consent is not known, or covers "
            "service messages only; an earlier proof is kept, and whoever withdrew it or opted out is left as they "
            "are. Where they withdrew it, advertising that waits for them is not sent. It stands in their history."
        ),
        button=ngettext_lazy("Record it for %(count)s contact", "Record it for %(count)s contacts", "number"),
        form_class=ConsentForm,
        parameters=_consent,
    ),
    "delete_contacts": Asked(
        title=_("Delete or archive contacts"),
        explanation=_(
            "Chosen: %(people)s. Whoever was written to, or wrote to you, is archived: out of all lists, searches and "
            "audiences; the log and the inbox still lead to their page, and they can be brought back. The others are "
            "deleted. What waits to be sent to somebody already is sent, unless you opt them out."
        ),
        button=ngettext_lazy("Delete or archive %(count)s contact", "Delete or archive %(count)s contacts", "number"),
        is_destructive=True,
    ),
    "restore_contacts": Asked(
        title=_("Bring back from the archive"),
        explanation=_(
            "Chosen: %(people)s. They are in lists and searches again, and in the groups that they were in: campaigns "
            "to these groups are sent to them. Who opted out stays so."
        ),
        button=ngettext_lazy("Bring %(count)s contact back", "Bring %(count)s contacts back", "number"),
    ),
    "erase": Asked(
        title=_("Erase people"),
        explanation=_(
            "%(people)s will be forgotten: texts and numbers go from the whole installation, figures and opt-outs "
            "stay. This cannot be taken back."
        ),
        button=ngettext_lazy("Erase %(count)s person", "Erase %(count)s people", "number"),
        form_class=EraseForm,
        parameters=lambda form: {"reason": form.cleaned_data["reason"]},
        is_destructive=True,
    ),
}
