"""Saved texts: where they are written, and where campaigns take them from."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit, masking
from campaigns.languages import language_name
from campaigns.models import Campaign, MessageTemplate, TemplateText, User
from campaigns.template_form import TemplateForm, TemplateTextForm

from .base import acting_user
from .changes import changes_of
from .display import NOTHING, moment
from .kept_texts import KeptTextsAdmin


def template_from(campaign: Campaign, *, actor: User) -> MessageTemplate:
    """A new template with a campaign's texts, under its name or the next one that is free."""
    with transaction.atomic():
        name, number = campaign.name[:140], 1
        while MessageTemplate.objects.filter(name=name).exists():
            number += 1
            name = f"{campaign.name[:140]} {number}"
        template = MessageTemplate.objects.create(name=name, body=campaign.body, created_by=actor)
        TemplateText.objects.bulk_create(
            TemplateText(template=template, language=language, body=body) for language, body in campaign.texts.items()
        )
        audit.record("template_written", actor=actor, subject=name, details={"from": campaign.pk})
    return template


class TemplateTextInline(admin.StackedInline):  # type: ignore[type-arg]
    """The same in other languages. Whoever may change the template may change them."""

    model = TemplateText
    form = TemplateTextForm
    extra = 1
    verbose_name = _("text in another language")
    verbose_name_plural = _("In other languages")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_write(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_write(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_write(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


def may_write(request: HttpRequest) -> bool:
    """Whether this user may write templates."""
    return request.user.has_perm("campaigns.change_messagetemplate") or request.user.has_perm(
        "campaigns.add_messagetemplate"
    )


@admin.register(MessageTemplate)
class MessageTemplateAdmin(KeptTextsAdmin):
    """Texts to be used again. What becomes of one changes no campaign that has used it."""

    form = TemplateForm
    masked = {"body": masking.text}
    fields = ("name", "body", "is_archived")
    inlines = (TemplateTextInline,)
    list_display = ("name", "languages", "changed", "archived")
    list_filter = ("is_archived",)
    search_fields = ("name", "body")
    search_help_text = _("A part of the name or of the text.")
    actions = ("archive",)
    view_on_site = False  # this is its only page
    empty_text = _(
        "There are no templates yet. Save texts here that you use again, in each language your contacts speak."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageTemplate]:
        return super().get_queryset(request).prefetch_related("texts")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and request.user.has_perm(masking.MESSAGE_TEXTS)

    def has_delete_permission(self, request: HttpRequest, obj: MessageTemplate | None = None) -> bool:
        """What a campaign was sent with is archived."""
        may = super().has_delete_permission(request, obj)
        return may and (obj is None or not obj.campaigns.filter(launched_at__isnull=False).exists())

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """What may not be seen is not there."""
        return self.inlines if masking.may_see_texts() else ()

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # each from its own page, where it can be read once more
        return actions

    @admin.display(description=_("other languages"))
    def languages(self, template: MessageTemplate) -> str:
        return ", ".join(language_name(text.language) for text in template.texts.all()) or NOTHING

    @admin.display(description=_("changed"), ordering="updated_at")
    def changed(self, template: MessageTemplate) -> str:
        return moment(template.updated_at)

    @admin.display(description=_("archived"), boolean=True, ordering="is_archived")
    def archived(self, template: MessageTemplate) -> bool:
        return template.is_archived

    @admin.action(description=_("Archive"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        for template in queryset:
            with transaction.atomic():
                template.is_archived = True
                template.save(update_fields=["is_archived", "updated_at"])
                changes = {_("archived"): (False, True)}
                audit.record("template_changed", actor=acting_user(request), subject=template.name, changes=changes)
        self.message_user(request, _t("Archived: campaigns are not offered them any more."), messages.SUCCESS)

    def save_model(self, request: HttpRequest, obj: MessageTemplate, form: Any, change: bool) -> None:
        actor = acting_user(request)
        if not change:
            obj.created_by = actor
        super().save_model(request, obj, form, change)
        action = "template_changed" if change else "template_written"
        audit.record(action, actor=actor, subject=obj.name, changes=changes_of(form))

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """In one line: stock would print one for each campaign that has used it."""
        templates = list(objs)
        return [str(one) for one in templates], {str(self.opts.verbose_name_plural): len(templates)}, set(), []

    def delete_model(self, request: HttpRequest, obj: MessageTemplate) -> None:
        audit.record("template_deleted", actor=acting_user(request), subject=obj.name)
        super().delete_model(request, obj)
