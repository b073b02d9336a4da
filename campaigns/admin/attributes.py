"""The fields that contacts have beside their own: name, label and kind."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit, bulk
from campaigns.composing import CONTACT_FIELDS
from campaigns.contact_fields import field_called
from campaigns.models import Attribute, Contact

from .base import BaseAdmin, acting_user
from .changes import changes_of


class AttributeForm(forms.ModelForm):  # type: ignore[type-arg]
    """A field, under a name that can stand in texts and files."""

    class Meta:
        model = Attribute
        fields = ("name", "label", "kind", "required")

    def clean_name(self) -> str:
        name = "_".join(str(self.cleaned_data["name"]).split())
        if any(c in name for c in '{}|"\\'):
            raise ValidationError(_t('A name cannot have any of these: { } | " \\'))
        if name.casefold() in CONTACT_FIELDS or field_called(name):
            raise ValidationError(_t("Every contact has this field already. Choose another name."))
        return name


@admin.register(Attribute)
class AttributeAdmin(BaseAdmin):
    """Fields with a kind. What nobody has defined is text and works all the same."""

    form = AttributeForm
    list_display = ("name", "label", "kind", "required")
    search_fields = ("name", "label")
    search_help_text = _("A part of the name or of the label.")
    empty_text = _(
        "No fields are defined yet. Whatever columns a file has beside names and numbers becomes text; define a field "
        "here to make it a number, a date or yes and no."
    )

    def save_model(self, request: HttpRequest, obj: Attribute, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        actor = acting_user(request)
        action = "change_attribute" if change else "create_attribute"
        audit.record(action, actor=actor, subject=obj.name, changes=changes_of(form))
        if not change or {"name", "kind"} & set(form.changed_data):
            self._apply_to_contacts(request, obj)

    def _apply_to_contacts(self, request: HttpRequest, attribute: Attribute) -> None:
        """What contacts have under this name already comes into its spelling and kind, in the background."""
        newest = Contact.objects.order_by("-pk").values_list("pk", flat=True).first()
        if newest is None:
            return
        action = bulk.start(
            "apply_definition",
            "contact",
            {"filters": {"archived": ["all"]}, "up_to": newest},
            total=Contact.objects.count(),
            parameters={"attribute": attribute.pk, "name": attribute.name},
            actor=acting_user(request),
        )
        words = _t("What contacts have in it already is being brought into its kind: {}.")
        link = format_html('<a href="{}">{}</a>', action.get_absolute_url(), _t("see how far it is"))
        self.message_user(request, format_html(words, link), messages.INFO)

    def delete_model(self, request: HttpRequest, obj: Attribute) -> None:
        audit.record("delete_attribute", actor=acting_user(request), subject=obj.name)
        super().delete_model(request, obj)
