"""Contacts, their groups, and what can be done with a selection of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from campaigns import audit
from campaigns.composing import as_text
from campaigns.forms import AddToGroupForm, ContactForm
from campaigns.models import RUNNING, Campaign, CampaignStatus, Contact, ContactGroup, OptOutSource
from campaigns.optouts import record_opt_out

from .base import BaseAdmin, NumberSearchMixin, Selection, acting_user, confirm_selection
from .display import MOMENT_FORMAT, count, object_link, people

MEMBERSHIP_CHUNK = 2000
GROUPS_OFFERED = 20


def add_to_group(group: ContactGroup, contact_ids: Iterable[int]) -> None:
    """Put contacts into a group; those who are in it already stay once."""
    through = Contact.groups.through
    rows = (through(contact_id=pk, contactgroup_id=group.pk) for pk in contact_ids)
    through.objects.bulk_create(rows, batch_size=MEMBERSHIP_CHUNK, ignore_conflicts=True)


class GroupFilter(admin.SimpleListFilter):
    """The first groups by name, and whichever is chosen. All others are reached from their own list."""

    title = _("group")
    parameter_name = "groups__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = dict(ContactGroup.objects.order_by("name").values_list("pk", "name")[:GROUPS_OFFERED])
        chosen = self.value() or ""
        if chosen.isdecimal() and int(chosen) not in offered:
            offered.update(ContactGroup.objects.filter(pk=int(chosen)).values_list("pk", "name"))
        return [(str(pk), name) for pk, name in offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(groups=int(value)) if value.isdecimal() else queryset.none()


@admin.register(Contact)
class ContactAdmin(NumberSearchMixin, BaseAdmin):
    """The people who can be written to."""

    form = ContactForm
    list_display = ("phone_number", "name", "group_names", "other_fields", "consent", "region")
    list_display_links = ("phone_number", "name")
    list_filter = (GroupFilter, "consent")
    search_fields = ("first_name", "last_name", "email")
    search_help_text = _("A phone number in any spelling, the first digits of one, a name or an e-mail address.")
    autocomplete_fields = ("groups",)
    readonly_fields = ("created_at", "updated_at")
    actions = ("send_to_selected", "add_to_group", "opt_out", "delete_contacts")
    empty_text = _("There are no contacts yet. Import a CSV or Excel file, or add one by hand.")
    fieldsets = (
        (None, {"fields": ("phone_number", ("first_name", "last_name"), "groups")}),
        (_("Other fields"), {"fields": ("attributes",)}),
        (_("Consent"), {"fields": ("consent", "consented_at", "consent_source", "consent_evidence")}),
        (
            _("Details"),
            {
                "classes": ("collapse",),
                "fields": ("email", "language", "region", "time_zone", "created_at", "updated_at"),
            },
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Stock deleting lists every row and breaks on a thousand; `delete_contacts` counts instead."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["campaigns.add_campaign", "campaigns.add_contactgroup"])

    def has_opt_out_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.add_optout")

    @admin.display(description=_("name"), ordering="first_name")
    def name(self, contact: Contact) -> str:
        return contact.full_name

    @admin.display(description=_("groups"))
    def group_names(self, contact: Contact) -> str:
        return ", ".join(group.name for group in contact.groups.all())

    @admin.display(description=_("other fields"))
    def other_fields(self, contact: Contact) -> str:
        text = " · ".join(f"{name}: {as_text(value)}" for name, value in contact.attributes.items())
        return Truncator(text).chars(80)

    @admin.action(description=_("Send to the selected…"), permissions=["send"])
    def send_to_selected(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse:
        """A draft campaign for exactly these contacts, opened to be written."""
        actor = acting_user(request)
        when = date_format(timezone.localtime(), MOMENT_FORMAT)
        name = _t("Selected contacts, %(when)s") % {"when": when}
        with transaction.atomic():
            number = ContactGroup.objects.filter(name__startswith=name).count()
            group = ContactGroup.objects.create(name=f"{name} ({number + 1})" if number else name)
            add_to_group(group, queryset.order_by().values_list("pk", flat=True).iterator(chunk_size=MEMBERSHIP_CHUNK))
            campaign = Campaign.objects.create(name=name, body="", created_by=actor)
            campaign.include_groups.add(group)
            size = group.contacts.count()
            audit.record("create", actor=actor, campaign=campaign, subject=name, details={"selected": size})
        self.message_user(
            request,
            _t("A draft campaign for %(people)s was made. Write its text, save it, then press “Send now”.")
            % {"people": people(size)},
            messages.SUCCESS,
        )
        return HttpResponseRedirect(campaign.get_absolute_url())

    @admin.action(description=_("Add to group…"), permissions=["change"])
    def add_to_group(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse | None:
        selection = Selection(request, queryset)
        form = AddToGroupForm(request.POST if selection.is_confirmed else None)
        if not (selection.is_confirmed and form.is_valid()):
            return confirm_selection(
                self,
                request,
                selection,
                title=_t("Add to a group"),
                explanation=_t("Chosen: %(people)s.") % {"people": people(selection.count)},
                button=_t("Add to the group"),
                form=form,
            )
        with transaction.atomic():
            group = form.cleaned_data["group"] or ContactGroup.objects.create(name=form.cleaned_data["new_group"])
            add_to_group(group, selection.rows.values_list("pk", flat=True))
            details = {"count": selection.count}
            audit.record("add_to_group", actor=acting_user(request), subject=group.name, details=details)
        self.message_user(
            request,
            _t("%(people)s: now in the group “%(group)s”.") % {"people": people(selection.count), "group": group},
            messages.SUCCESS,
        )
        return None

    @admin.action(description=_("Opt out…"), permissions=["opt_out"])
    def opt_out(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse | None:
        selection = Selection(request, queryset)
        if not selection.is_confirmed:
            return confirm_selection(
                self,
                request,
                selection,
                title=_t("Opt out"),
                explanation=_t(
                    "%(people)s will get no more messages, in whatever campaign, and also after another import. "
                    "What is waiting for them is not sent."
                )
                % {"people": people(selection.count)},
                button=ngettext("Opt out %(count)s number", "Opt out %(count)s numbers", selection.count)
                % {"count": count(selection.count)},
            )
        note = _t("Chosen from the list of contacts")
        for contact in selection.rows.only("phone_number").iterator():
            number = contact.phone_number.as_e164
            record_opt_out(number, source=OptOutSource.OPERATOR, note=note, actor=acting_user(request))
        self.message_user(request, _t("%(people)s: opted out.") % {"people": people(selection.count)}, messages.SUCCESS)
        return None

    @admin.action(description=_("Delete…"), permissions=["delete"])
    def delete_contacts(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse | None:
        selection = Selection(request, queryset)
        if not selection.is_confirmed:
            return confirm_selection(
                self,
                request,
                selection,
                title=_t("Delete contacts"),
                explanation=_t(
                    "%(people)s will be removed from the contacts and from all groups. "
                    "The delivery log and the opt-outs keep their numbers."
                )
                % {"people": people(selection.count)},
                button=ngettext("Delete %(count)s contact", "Delete %(count)s contacts", selection.count)
                % {"count": count(selection.count)},
                is_destructive=True,
            )
        with transaction.atomic():
            Contact.objects.filter(pk__in=selection.rows.values("pk")).delete()
            audit.record("delete_contacts", actor=acting_user(request), details={"count": selection.count})
        self.message_user(request, _t("%(people)s: deleted.") % {"people": people(selection.count)}, messages.SUCCESS)
        return None


@admin.register(ContactGroup)
class ContactGroupAdmin(BaseAdmin):
    """Named lists of contacts."""

    list_display = ("name", "size", "description", "created_at")
    search_fields = ("name",)
    search_help_text = _("A part of the name.")
    readonly_fields = ("contacts_link", "created_at")
    fields = ("name", "description", "contacts_link", "created_at")
    empty_text = _("There are no groups yet. A campaign is sent to groups: make one here, or while importing contacts.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ContactGroup]:
        groups = super().get_queryset(request)
        resolved = request.resolver_match
        if resolved and resolved.url_name == "autocomplete":
            return groups
        counted: QuerySet[ContactGroup] = groups.annotate(contact_count=Count("contacts"))
        return counted

    def get_deleted_objects(
        self, objs: Iterable[ContactGroup], request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """Counted instead of listed: stock would print a line for each contact. Groups that a campaign needs stay."""
        groups = list(objs)
        waiting = Campaign.objects.filter(status__in=[*RUNNING, CampaignStatus.SCHEDULED, CampaignStatus.PAUSED])
        needed = waiting.filter(Q(include_groups__in=groups) | Q(exclude_groups__in=groups)).distinct()
        lines = [_t("%(group)s (its contacts stay)") % {"group": group} for group in groups]
        names = {str(self.opts.verbose_name_plural): len(groups)}
        return (
            lines,
            names,
            set(),
            [format_html(_t("{} needs this group"), object_link(campaign)) for campaign in needed],
        )

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
