"""Static groups: named lists of contacts; and what groups of either kind have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.models import RUNNING, Campaign, CampaignStatus, Contact, ContactGroup, SmartGroup
from campaigns.smart_groups import groups_named_in

from .archiving import ArchivingMixin
from .base import BaseAdmin, acting_user
from .changes import changes_of
from .display import count, object_link, people


class GroupTrailMixin:
    """Making, changing and deleting groups leaves entries."""

    #: How the audit trail calls it.
    kind = "group"

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_model(request, obj, form, change)  # type: ignore[misc]
            action = f"change_{self.kind}" if change else f"create_{self.kind}"
            audit.record(action, actor=acting_user(request), subject=obj.name, changes=self.changes(form, obj, change))

    def changes(self, form: Any, obj: Any, change: bool) -> dict[Any, tuple[Any, Any]]:
        """Before and after."""
        return changes_of(form)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        with transaction.atomic():
            audit.record(f"delete_{self.kind}", actor=acting_user(request), subject=obj.name)
            super().delete_model(request, obj)  # type: ignore[misc]


#: Campaigns that the page names which says why a group cannot be deleted.
NEEDING_SHOWN = 20


@admin.register(ContactGroup)
class ContactGroupAdmin(ArchivingMixin, GroupTrailMixin, BaseAdmin):
    """Named lists of contacts."""

    list_display = ("name", "size", "description", "created_at")
    search_fields = ("name",)
    search_help_text = _("A part of the name.")
    readonly_fields = ("contacts_link", "created_at")
    fields = ("name", "description", "contacts_link", "created_at")
    change_form_template = "admin/campaigns/contactgroup/change_form.html"
    empty_text = _("There are no groups yet. A campaign is sent to groups: make one here, or while importing contacts.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactGroup]:
        groups = super().get_queryset(request)
        resolved = request.resolver_match
        if resolved and resolved.url_name == "autocomplete":
            # Only a campaign can have smart groups: nobody is put into one by hand.
            is_for_campaign = request.GET.get("model_name") == Campaign._meta.model_name
            groups = groups.filter(archived_at__isnull=True)
            return groups if is_for_campaign else groups.filter(conditions__isnull=True)
        counted: QuerySet[ContactGroup] = groups.filter(conditions__isnull=True).annotate(contact_count=_member_count())
        return counted

    def get_deleted_objects(
        self, objs: Iterable[ContactGroup], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Counted instead of listed: stock would print a line for each contact. Groups that are needed stay."""
        return groups_cannot_be_deleted(list(objs), str(self.opts.verbose_name_plural))

    @admin.display(description=_("contacts"), ordering="contact_count")
    def size(self, group: Any) -> SafeString:
        url = f"{reverse('admin:campaigns_contact_changelist')}?groups__id__exact={group.pk}"
        return format_html('<a href="{}">{}</a>', url, count(group.contact_count))

    @admin.display(description=_("contacts"))
    def contacts_link(self, group: Any) -> str | SafeString:
        if group.pk is None:
            return _t("Save the group first, then choose contacts in their list and press “Add to group”.")
        url = f"{reverse('admin:campaigns_contact_changelist')}?groups__id__exact={group.pk}"
        return format_html('<a href="{}">{}</a>', url, _t("Show %(people)s") % {"people": people(group.contact_count)})


def _member_count() -> Coalesce:
    """
    How many contacts are in a group, without those in the archive.

    Group by group and without a join to the contacts: at a million members that takes a quarter of the time.
    """
    archived = Contact.objects.archived().filter(pk=OuterRef("contact"))
    members: QuerySet[Any, Any] = Contact.groups.through.objects.filter(
        ~Exists(archived), contactgroup=OuterRef("pk")
    ).order_by()
    counted = members.values("contactgroup").annotate(people=Count("*")).values("people")
    return Coalesce(Subquery(counted), 0)


def groups_cannot_be_deleted(groups: list[Any], plural: str) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
    """
    What the page that asks before deleting groups says, in the shape of `get_deleted_objects()`.

    Groups that a campaign waits for or was sent to stay: those are archived instead.
    """
    is_needed = Q(status__in=[*RUNNING, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED]) | Q(launched_at__isnull=False)
    ids = [group.pk for group in groups]
    chosen = Q(include_groups__in=ids) | Q(exclude_groups__in=ids)
    needed = Campaign.objects.filter(is_needed, chosen).distinct()[:NEEDING_SHOWN]
    asking = [smart for smart in SmartGroup.objects.all() if set(ids) & groups_named_in(smart.conditions)]
    lines = [_t("%(group)s (its contacts stay)") % {"group": group} for group in groups]
    return (
        lines,
        {plural: len(groups)},
        set(),
        [
            format_html(_t("{} needs this group, or was sent to it: archive the group instead"), object_link(thing))
            for thing in (*needed, *asking)
        ],
    )
