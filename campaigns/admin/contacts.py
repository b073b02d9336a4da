"""Contacts, and what can be done with a selection of them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit, bulk, masking
from campaigns.archiving import was_written_to, written_to
from campaigns.attribute_inputs import attribute_field
from campaigns.attributes import known_attributes
from campaigns.composing import as_text
from campaigns.forms import ContactForm
from campaigns.merging import note_number_change
from campaigns.models import Campaign, Contact

from .archiving import ARCHIVED, ArchivingMixin, EitherFilter
from .base import Selection, acting_user
from .bulk import BulkActionsMixin, offer_list, stored_selection, work_at_once
from .changes import changes_of
from .contact_actions import CONTACT_ACTIONS, FOR_ARCHIVED
from .contact_consent import CONSENT_FIELDS, ContactConsentMixin
from .contact_filters import GroupFilter, SmartGroupFilter, found_by
from .contact_pages import e164, history_page, may_merge, merge_page
from .display import object_link, people
from .keyset import ActionsKeysetChangeList


@admin.register(Contact)
class ContactAdmin(ContactConsentMixin, BulkActionsMixin, ArchivingMixin):
    """The people who can be written to."""

    form = ContactForm
    asked = CONTACT_ACTIONS
    masked = {"phone_number": masking.number, "consent_evidence": masking.text}
    archived_filter = EitherFilter
    archives_in_list = False
    archived_words = _(
        "%(name)s is archived: no campaign is sent there any more. What was sent stays in the log, and the contact can "
        "be brought back."
    )
    list_display = ("phone_number", "name", "group_names", "other_fields", "consent", "region")
    list_filter = (GroupFilter, SmartGroupFilter, "consent")
    search_fields = ("first_name",)  # makes the search box appear; get_search_results() knows better
    search_help_text = _(
        "A phone number in any spelling or its first digits, or the beginning of a name or an e-mail address."
    )
    sortable_by = ()
    autocomplete_fields = ("groups",)
    readonly_fields = ("created_at", "updated_at")
    actions = ("send_to_selected", "merge_two")
    change_form_template = "admin/campaigns/contact/change_form.html"
    empty_text = _("There are no contacts yet. Import a CSV or Excel file, or add one by hand.")
    fieldsets = (
        (None, {"fields": ("phone_number", ("first_name", "last_name"), "groups")}),
        (_("Other fields"), {"fields": ("attributes",)}),
        (_("Consent"), {"fields": ("consent", "consent_kind", "consented_at", "consent_source", "consent_evidence")}),
        (
            _("Details"),
            {
                "classes": ("collapse",),
                "fields": ("email", "language", "region", "time_zone", "created_at", "updated_at"),
            },
        ),
    )

    # --- the list ------------------------------------------------------------------------------------------

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ActionsKeysetChangeList]:
        return ActionsKeysetChangeList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contact]:
        return super().get_queryset(request).prefetch_related("groups")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Contact], search_term: str
    ) -> tuple[QuerySet[Contact], bool]:
        term = search_term.strip()
        return (queryset.filter(found_by(term)) if term else queryset), False

    def has_send_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(["campaigns.add_campaign", "campaigns.add_contactgroup"])

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """What is in the archive can be brought back, looked at and erased."""
        actions = super().get_actions(request)
        if request.GET.get(ARCHIVED) == "yes":
            return {name: action for name, action in actions.items() if name in FOR_ARCHIVED}
        actions.pop("restore_contacts", None)
        return actions

    def get_list_display_links(self, request: HttpRequest, list_display: Any) -> Any:
        return list_display[:2]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """One contact is changed in a form that shows its number."""
        may = super().has_change_permission(request, obj)
        return may and (obj is None or (obj.archived_at is None and request.user.has_perm(masking.FULL_NUMBERS)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = super().get_readonly_fields(request, obj)
        may_consent = request.user.has_perm("campaigns.change_consent")
        return fields if may_consent else (*fields, *sorted(CONSENT_FIELDS))

    @admin.display(description=_("name"))
    def name(self, contact: Contact) -> str:
        return contact.full_name

    @admin.display(description=_("groups"))
    def group_names(self, contact: Contact) -> str:
        return ", ".join(group.name for group in contact.groups.all())

    @admin.display(description=_("other fields"))
    def other_fields(self, contact: Contact) -> str:
        text = " · ".join(f"{name}: {value}" for name, value in _other_fields(contact))
        return Truncator(text).chars(80)

    @admin.display(description=_("other fields"))
    def all_other_fields(self, contact: Contact) -> str:
        """For a page that is only read, where there are no inputs for them."""
        return format_html_join(mark_safe("<br>"), "{}: {}", _other_fields(contact)) or "-"

    @admin.action(description=_("Send to the selected…"), permissions=["send"])
    def send_to_selected(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse:
        """A draft campaign for exactly these contacts, opened to be written; for very many, made by a worker."""
        selection = Selection(request, queryset)
        action = bulk.start(
            "send_to",
            "contact",
            stored_selection(request, selection),
            total=selection.count,
            actor=acting_user(request),
        )
        work_at_once(action)
        campaign = Campaign.objects.filter(pk=action.progress.get("campaign")).first()
        if campaign is None:
            return HttpResponseRedirect(action.get_absolute_url())
        self.message_user(
            request,
            _t("A draft campaign for %(people)s was made. Write its text, save it, then press “Send now”.")
            % {"people": people(action.changed_count)},
            messages.SUCCESS,
        )
        return HttpResponseRedirect(campaign.get_absolute_url())

    # --- the form ------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """With an input for each attribute that is defined."""
        defined = set(self._defined(request))
        kwargs["fields"] = [name for name in self._model_fields(request, obj) if name not in defined]
        return super().get_form(request, obj, change, **kwargs)

    @staticmethod
    def _defined(request: HttpRequest) -> tuple[str, ...]:
        """The inputs of the defined attributes; asked for several times while a page is made."""
        if not hasattr(request, "defined_attributes"):
            request.defined_attributes = tuple(map(attribute_field, known_attributes()))  # type: ignore[attr-defined]
        return request.defined_attributes  # type: ignore[attr-defined,no-any-return]

    def _model_fields(self, request: HttpRequest, obj: Any) -> list[str]:
        names: list[str] = []
        for _title, options in self.get_fieldsets(request, obj):
            for entry in options["fields"]:
                names += entry if isinstance(entry, list | tuple) else [entry]
        return [name for name in names if name not in self.get_readonly_fields(request, obj)]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        is_read = obj is not None and not self.has_change_permission(request, obj)
        own = ("all_other_fields",) if is_read else (*self._defined(request), "attributes")
        fieldsets = [
            (title, {**options, "fields": own} if options["fields"] == ("attributes",) else options)
            for title, options in self.fieldsets
        ]
        return self.masked_fieldsets(fieldsets) if is_read else fieldsets

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        """An edit stands in the contact's history, by the names of the fields; a number that it had is remembered."""
        actor = acting_user(request)
        with transaction.atomic():
            super().save_model(request, obj, form, change)
            if change and "phone_number" in form.changed_data:
                note_number_change(obj, str(form.initial["phone_number"].as_e164), actor=actor)
            if form.changed_data or not change:
                labels = [audit.untranslated(form.fields[name].label or name) for name in form.changed_data]
                action = "change_contact" if change else "create_contact"
                # Not the number: that is an entry of its own, in which erasing finds it.
                changes = changes_of(form, only=set(form.changed_data) - {"phone_number"})
                audit.record(action, actor=actor, subject=e164(obj), changes=changes, details={"fields": labels})

    def delete_model(self, request: HttpRequest, obj: Contact) -> None:
        with transaction.atomic():
            audit.record("delete_contact", actor=acting_user(request), subject=e164(obj))
            super().delete_model(request, obj)

    def get_deleted_objects(
        self, objs: Any, request: HttpRequest
    ) -> tuple[list[Any], dict[str, int], set[str], list[Any]]:
        """
        In one line: stock would print one for each group and message. Who was written to stays.

        Locked where it is decided, so that nobody is written to between the question and the answer.
        """
        contacts = list(objs)
        ids = [contact.pk for contact in contacts]
        if request.method == "POST":
            list(Contact.objects.select_for_update().filter(pk__in=ids).order_by("pk").values_list("pk"))
        kept = set(Contact.objects.filter(written_to(), pk__in=ids).values_list("pk", flat=True))
        sentence, refusal = _t("%(contact)s: the opt-outs keep the number"), _t("{} was written to: archive it instead")
        lines = [sentence % {"contact": contact} for contact in contacts if contact.pk not in kept]
        protected = [format_html(refusal, object_link(contact)) for contact in contacts if contact.pk in kept]
        return lines, {str(self.opts.verbose_name_plural): len(lines)}, set(), protected

    # --- the page of a contact -----------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        contact = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if isinstance(contact, Contact):
            page = history_page(request, contact) | self._archive_page(request, contact)
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})

    def _archive_page(self, request: HttpRequest, contact: Contact) -> dict[str, Any]:
        """Who was written to is archived, who never was is deleted, and who is archived is only brought back."""
        is_archived = contact.archived_at is not None
        is_kept = is_archived or was_written_to(contact)
        return {
            "may_merge": may_merge(request) and not is_archived,
            "may_archive": is_kept and self.has_archive_permission(request),
            "show_delete": not is_kept,
        }

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.merge_view)
        return [path("<int:pk>/merge/", view, name="campaigns_contact_merge"), *super().get_urls()]

    def merge_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Choose the other contact, look at both, and merge them."""
        if not may_merge(request):
            raise PermissionDenied
        return merge_page(self, request, get_object_or_404(Contact, pk=pk))

    def has_merge_permission(self, request: HttpRequest) -> bool:
        return may_merge(request)

    @admin.action(description=_("Merge two…"), permissions=["merge"])
    def merge_two(self, request: HttpRequest, queryset: QuerySet[Contact]) -> HttpResponse | None:
        """Only leads to the page that shows both."""
        pair = list(queryset.order_by("pk").values_list("pk", flat=True)[:3])
        if len(pair) != 2:
            self.message_user(request, _t("Tick exactly two contacts to merge them."), messages.ERROR)
            return None
        return HttpResponseRedirect(f"{reverse('admin:campaigns_contact_merge', args=[pair[0]])}?with={pair[1]}")


offer_list(Contact)


def _other_fields(contact: Contact) -> list[tuple[str, str]]:
    """In the order of the names: the order in which they were stored differs from one database to the next."""
    return [(name, as_text(value)) for name, value in sorted(contact.attributes.items())]
