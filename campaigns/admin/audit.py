"""The audit trail: who did what, when, to how many, before and after. In words; nobody changes it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import masking
from campaigns.audit import field_words
from campaigns.models import AuditEvent, Campaign, User
from campaigns.permissions import ACTS
from campaigns.reports import reason_label

from .base import ReadOnlyAdmin, number_query
from .display import MOMENT_FORMAT, NOTHING, count, moment, object_link, source_words
from .keyset import KeysetChangeList
from .system import ACTION_WORDS, action_words

PEOPLE_OFFERED = 30
CAMPAIGNS_OFFERED = 10
#: What the details of entries are called.
DETAIL_WORDS = {
    "again": _("sent again from campaign"),
    "at": _("at"),
    "bulk_action": _("bulk action"),
    "child": _("sent again as campaign"),
    "conditions": _("conditions"),
    "contacts": _("contacts"),
    "cancelled": _("messages cancelled"),
    "currency": _("currency"),
    "fields": _("fields"),
    "filled": _("taken from the other"),
    "filters": _("filters of the list"),
    "former_number": _("former number"),
    "format": _("kind of file"),
    "from": _("from"),
    "group": _("group"),
    "history": _("entries of the history"),
    "import": _("import"),
    "incoming": _("incoming messages"),
    "kind": _("kind"),
    "limit": _("limit"),
    "messages": _("messages"),
    "name": _("name"),
    "note": _("note"),
    "of": _("copy of campaign"),
    "per_second": _("per second"),
    "reason": _("reason"),
    "removed": _("removed"),
    "selected": _("contacts chosen"),
    "set": _("set"),
    "shown": _("value"),
    "source": _("source"),
    "text": _("what was said"),
    "to": _("to"),
    "unit": _("counted in"),
    "value": _("value"),
    "verdict": _("decision"),
    "why": _("why"),
}


@dataclass(frozen=True)
class Change:
    """A field before and after."""

    label: str
    before: str
    after: str


def in_words(value: Any) -> str:
    """A value of the details as people read it, with what the reader may not see hidden."""
    if value is None or value == "" or value == [] or value == {}:
        return NOTHING
    if isinstance(value, bool):
        return str(_("yes") if value else _("no"))
    if isinstance(value, int):
        return count(value)
    if isinstance(value, list | tuple):
        return ", ".join(in_words(one) for one in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {in_words(one)}" for name, one in value.items())
    return masking.in_text(value)


def details_of(event: AuditEvent) -> list[tuple[str, str]]:
    """What is to be said besides who, what and when: pairs of words and values."""
    details = event.details if isinstance(event.details, dict) else {}
    pairs = []
    for name, value in details.items():
        if name == "changes" or value in ("", None, [], {}):
            continue
        label = str(DETAIL_WORDS.get(name, name.replace("_", " ")))
        if name == "fields" and isinstance(value, list):
            value = [field_words(str(field)) for field in value]
        told = {"reason": reason_label, "source": source_words}.get(name)
        shown = told(value) if told and isinstance(value, str) else in_words(value)
        pairs.append((label, masking.text(shown) if name == "note" else masking.in_text(shown)))
    return pairs


def changes_in(event: AuditEvent) -> list[Change]:
    """By field, what was before and after. Texts only for those who may see them."""
    details = event.details if isinstance(event.details, dict) else {}
    pairs = details.get("changes") or {}
    hides = not masking.may_see_texts()
    return [
        Change(
            field_words(name), *(masking.hidden_text() if hides and _is_long(one) else in_words(one) for one in pair)
        )
        for name, pair in pairs.items()
    ]


def _is_long(value: Any) -> bool:
    """Texts are long, or hold several languages; names, numbers and yes or no are not."""
    return isinstance(value, dict) or (isinstance(value, str) and (len(value) > 40 or " " in value.strip()))


class PersonFilter(admin.SimpleListFilter):
    """Whoever works here, and the engine itself."""

    title = _("who")
    parameter_name = "actor"
    ENGINE = "none"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        users = User.objects.filter(is_staff=True).order_by("username").values_list("pk", "username")
        known = {str(pk): name for pk, name in users[:PEOPLE_OFFERED]}
        chosen = self.value() or ""
        if chosen.isdecimal() and chosen not in known:
            known |= {str(pk): name for pk, name in User.objects.filter(pk=chosen).values_list("pk", "username")}
        return [*known.items(), (self.ENGINE, _("by itself"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        value = self.value()
        if value == self.ENGINE:
            return queryset.filter(actor=None, actor_name="")
        if value is None:
            return queryset
        return queryset.filter(actor=int(value)) if value.isdecimal() else queryset.none()


class ActFilter(admin.SimpleListFilter):
    """Every act that there is, by its words: reading the distinct ones off the trail would read all of it."""

    title = _("what")
    parameter_name = "action"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return sorted(((action, action_words(action)) for action in {*ACTION_WORDS, *ACTS}), key=lambda one: one[1])

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        return queryset.filter(action=self.value()) if self.value() else queryset


class CampaignFilter(admin.SimpleListFilter):
    """The latest campaigns, and whichever is chosen."""

    title = _("campaign")
    parameter_name = "campaign__id__exact"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        chosen = self.value() or ""
        newest = Campaign.objects.order_by("-pk").values_list("pk", flat=True)[:CAMPAIGNS_OFFERED]
        wanted = set(newest) | ({int(chosen)} if chosen.isdecimal() else set())
        named = Campaign.objects.filter(pk__in=wanted).order_by("-pk").values_list("pk", "name")
        return [(str(pk), name) for pk, name in named]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEvent]) -> QuerySet[AuditEvent]:
        value = self.value()
        if value is None:
            return queryset
        return queryset.filter(campaign=int(value)) if value.isdecimal() else queryset.none()


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    """Who did what. Nobody can change it, here or elsewhere."""

    list_display = ("when", "who", "what", "about", "in_campaign", "how_many", "more")
    list_display_links = ("when", "what")
    list_filter = ("at", PersonFilter, ActFilter, CampaignFilter)
    list_select_related = ("actor", "campaign")
    search_fields = ("subject",)  # makes the search box appear; get_search_results() knows better
    search_help_text = _("A phone number in any spelling, or the whole name of a campaign, a group, a user or a file.")
    sortable_by = ()
    change_form_template = "admin/campaigns/auditevent/page.html"
    empty_text = _("Nothing has been done yet.")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEvent], search_term: str
    ) -> tuple[QuerySet[AuditEvent], bool]:
        """By the index on what an entry is about."""
        term = search_term.strip()
        if not term:
            return queryset, False
        query = number_query(term, "subject")
        return queryset.filter(query) if query is not None else queryset.filter(subject=term), False

    @admin.display(description=_("at"))
    def when(self, event: AuditEvent) -> str | SafeString:
        return moment(event.at)

    @admin.display(description=_("who"))
    def who(self, event: AuditEvent) -> str:
        return who_of(event)

    @admin.display(description=_("what"))
    def what(self, event: AuditEvent) -> str:
        return action_words(event.action)

    @admin.display(description=_("about"))
    def about(self, event: AuditEvent) -> str:
        return masking.number(event.subject)

    @admin.display(description=_("campaign"))
    def in_campaign(self, event: AuditEvent) -> str | SafeString:
        return object_link(event.campaign) if event.campaign else ""

    @admin.display(description=_("how many"))
    def how_many(self, event: AuditEvent) -> str:
        return "" if event.count is None else count(event.count)

    @admin.display(description=_("details"))
    def more(self, event: AuditEvent) -> str:
        return _first_words([*(change.label for change in changes_in(event)), *_sentences(event)])

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        event = self.get_object(request, object_id)
        page: dict[str, Any] = {}
        if isinstance(event, AuditEvent):
            page = {
                "title": _t("%(who)s %(what)s") % {"who": who_of(event), "what": action_words(event.action)},
                "subtitle": date_format(timezone.localtime(event.at), MOMENT_FORMAT),
                "event": event,
                "about": masking.number(event.subject),
                "details": details_of(event),
                "changes": changes_in(event),
            }
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})


def who_of(event: AuditEvent) -> str:
    """The name of whoever did it, also when the user is gone."""
    return str(event.actor or event.actor_name or _("by itself"))


def _sentences(event: AuditEvent) -> Iterable[str]:
    return (f"{label}: {value}" for label, value in details_of(event))


def _first_words(parts: Iterable[str], longest: int = 100) -> str:
    words = " · ".join(parts)
    return words if len(words) <= longest else f"{words[: longest - 1]}…"
