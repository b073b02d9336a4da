"""Smart groups: conditions in a form that people understand, with a count that follows what is chosen."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from campaigns.models import SmartGroup
from campaigns.smart_groups import ConditionsError, Counted, in_words, read
from campaigns.smart_groups import count as count_matching
from campaigns.smart_groups.conditions import to_json
from campaigns.smart_groups.vocabulary import vocabulary

from .archiving import ArchivingMixin
from .base import BaseAdmin
from .changes import changes_of
from .display import count, people
from .groups import GroupTrailMixin, groups_cannot_be_deleted

BLANK = {"version": 1, "match": {"combine": "all", "parts": []}}
MAX_BODY = 100_000


class ConditionsField(forms.JSONField):
    """Conditions as JSON; the script of the page makes a form of it. Its clean value is checked and stored as it is."""

    def clean(self, value: Any) -> Any:
        try:
            return to_json(read(super().clean(value)))
        except ConditionsError as error:
            raise ValidationError(error.problems) from error


class SmartGroupForm(forms.ModelForm):  # type: ignore[type-arg]
    """A name, and who is in it."""

    conditions = ConditionsField(
        label=_("Conditions"),
        initial=BLANK,
        widget=forms.Textarea(attrs={"rows": 12, "spellcheck": "false", "data-conditions": ""}),
    )

    class Meta:
        model = SmartGroup
        fields = ("name", "description", "conditions")
        widgets = {"description": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})}


@admin.register(SmartGroup)
class SmartGroupAdmin(ArchivingMixin, GroupTrailMixin, BaseAdmin):
    """Groups whose members are whoever meets their conditions."""

    kind = "smart_group"
    form = SmartGroupForm
    list_display = ("name", "who", "description", "created_at")
    search_fields = ("name",)
    search_help_text = _("A part of the name.")
    fields = ("name", "description", "conditions")
    empty_text = _(
        "There are no smart groups yet. A smart group is a question, such as “lives in Kazan and got nothing for 30 "
        "days”, that is answered anew for every campaign."
    )
    change_form_template = "admin/campaigns/smartgroup/change_form.html"

    class Media:
        css = {"all": ("campaigns/smart_groups.css",)}

    @admin.display(description=_("who is in it"))
    def who(self, group: SmartGroup) -> str:
        return Truncator(in_words(group.conditions)).chars(160)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.count_view))
        return [path("count/", view, name="campaigns_smartgroup_count"), *super().get_urls()]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        group = self.get_object(request, object_id) if object_id else None
        stored = group.conditions if isinstance(group, SmartGroup) else BLANK
        context = {
            "vocabulary": vocabulary(stored),
            "count_url": reverse("admin:campaigns_smartgroup_count"),
            "words": in_words(stored) if group else "",
            "contacts_url": contacts_of(group) if isinstance(group, SmartGroup) else "",
        }
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def count_view(self, request: HttpRequest) -> JsonResponse:
        """Who meets the posted conditions now: a sentence, some of them, or what is wrong with the conditions."""
        if not (self.has_view_permission(request) and request.user.has_perm("campaigns.view_contact")):
            raise PermissionDenied
        try:
            stored = json.loads(request.body[:MAX_BODY])
            counted = count_matching(stored)
        except ConditionsError as error:
            return JsonResponse({"problems": error.problems})
        except ValueError:
            return JsonResponse({"problems": [_t("There are no conditions that could be read.")]})
        html = render_to_string(
            "admin/campaigns/smartgroup/counted.html",
            {"number": in_numbers(counted), "words": in_words(stored), "sample": counted.sample},
            request,
        )
        return JsonResponse({"problems": [], "html": html})

    def changes(self, form: Any, obj: SmartGroup, change: bool) -> dict[Any, tuple[Any, Any]]:
        """Conditions in words."""
        found = changes_of(form, only=("name", "description"))
        if "conditions" in form.changed_data:
            before = in_words(form.initial["conditions"]) if change else ""
            found[form.fields["conditions"].label] = (before, in_words(obj.conditions))
        return found

    def get_deleted_objects(
        self, objs: Iterable[Any], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Without a line for each row that hangs on them. Groups that a campaign needs stay."""
        return groups_cannot_be_deleted(list(objs), str(self.opts.verbose_name_plural))


def contacts_of(group: SmartGroup) -> str:
    """The list of the contacts that are in it now."""
    return f"{reverse('admin:campaigns_contact_changelist')}?smart_group={group.pk}"


def in_numbers(counted: Counted) -> str:
    """For example "1,203 people meet these conditions now."."""
    if counted.number is None:
        return _t("Counting took too long. The group works all the same; a campaign counts before it is sent.")
    if counted.is_more:
        return _t("More than %(people)s meet these conditions now.") % {"people": people(counted.number)}
    return ngettext(
        "%(count)s person meets these conditions now.", "%(count)s people meet these conditions now.", counted.number
    ) % {"count": count(counted.number)}
