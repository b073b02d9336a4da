"""
The search box of every page: a number in any spelling, a name, a campaign.

Each group is found by an index alone and is cut off after a few, so that it takes the same on a million contacts as on
ten; what a user may not see is not looked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.contrib.admin import AdminSite
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns.models import Campaign, Contact, Conversation, FormerNumber, OptOut, SentMessage
from sms_backends.phone_numbers import canonical, spellings

from .base import nothing_found, number_query, read_number
from .contact_filters import found_by
from .display import moment, number, status_pill
from .navigation import Navigation

#: Hits of a group that are shown; its list shows the others.
SHOWN = 6
#: Longer terms are no names.
LONGEST = 100
#: The campaigns whose names are compared, newest first: a bounded look, in every language alike.
CAMPAIGNS_COMPARED = 2000
#: `?as=list` asks for the hits alone, to be shown below the box.
AS_LIST = "list"


@dataclass(frozen=True)
class Hit:
    """Something that was found, and the page that shows it."""

    title: str | Promise
    url: str
    details: str = ""


@dataclass(frozen=True)
class Group:
    """Hits of one kind. `more_url` leads to the list with all of them; empty when these are all."""

    key: str
    title: str | Promise
    hits: list[Hit] = field(default_factory=list)
    more_url: str = ""


class Search:
    """What a term means to this user."""

    def __init__(self, request: HttpRequest, term: str) -> None:
        self._request = request
        self.term = term.replace("\x00", "").strip()[:LONGEST]
        self._e164 = read_number(self.term)
        self._contact_ids: list[int] = []

    def groups(self) -> list[Group]:
        """Those in which something was found. Contacts come first: what people write is found by them, too."""
        return [group for group in self._groups() if group.hits] if self.term else []

    def _groups(self) -> Iterator[Group]:
        parts: tuple[tuple[str, Callable[[], Group]], ...] = (
            ("campaigns.view_contact", self._contacts),
            ("campaigns.view_conversation", self._conversations),
            ("campaigns.view_sentmessage", self._messages),
            ("campaigns.view_optout", self._opt_outs),
            ("campaigns.view_campaign", self._campaigns),
        )
        for permission, part in parts:
            if self._request.user.has_perm(permission):
                yield part()

    def _contacts(self) -> Group:
        rows = self._contact_rows()
        self._contact_ids = [contact.pk for contact in rows[:SHOWN]]
        hits = [Hit(c.full_name or number(c.phone_number), _page(c), _beside(c)) for c in rows]
        return self._group("contacts", _("Contacts"), hits, "admin:campaigns_contact_changelist")

    def _contact_rows(self) -> list[Contact]:
        """By number in the order of the index, so that no beginning is too common; then who had such a number once."""
        contacts = Contact.objects.in_use().only("phone_number", "first_name", "last_name", "email")
        beginning = number_query(self.term)
        if beginning is None:
            return list(contacts.filter(found_by(self.term)).order_by("-pk")[: SHOWN + 1])
        wanted = Q(phone_number__in=self._spellings()) if self._e164 else beginning
        rows = list(contacts.filter(wanted).order_by("phone_number")[: SHOWN + 1])
        former = FormerNumber.objects.filter(wanted).order_by("phone_number").values_list("contact", flat=True)
        others = set(former[:SHOWN]) - {contact.pk for contact in rows}
        return [*rows, *contacts.filter(pk__in=others)] if others else rows

    def _conversations(self) -> Group:
        wanted = self._by_canonical()
        if wanted is None:
            wanted = Q(contact__in=self._contact_ids)
        rows = Conversation.objects.filter(wanted).select_related("contact").order_by("canonical_number")
        hits = [
            Hit(
                number(row.phone_number),
                _page(row),
                format_html("{} {}", row.contact.full_name if row.contact else "", moment(row.last_at)),
            )
            for row in rows.only("phone_number", "last_at", "contact__first_name", "contact__last_name")[: SHOWN + 1]
        ]
        return self._group("conversations", _("Inbox"), hits, "admin:campaigns_conversation_changelist")

    def _messages(self) -> Group:
        """The latest to a whole number; to the first numbers that begin so."""
        rows = SentMessage.objects.select_related("campaign").only(
            "phone_number", "status", "purpose", "created_at", "campaign__name"
        )
        beginning = number_query(self.term)
        if self._e164:
            rows = rows.filter(phone_number__in=self._spellings()).order_by("-pk")
        elif beginning is not None:
            rows = rows.filter(beginning).order_by("phone_number", "-pk")
        else:
            return Group("messages", "")
        hits = [
            Hit(
                number(row.phone_number),
                _page(row),
                _state_and_time(row, row.campaign.name if row.campaign else row.get_purpose_display()),
            )
            for row in rows[: SHOWN + 1]
        ]
        return self._group("messages", _("Messages"), hits, "admin:campaigns_sentmessage_changelist")

    def _opt_outs(self) -> Group:
        wanted = self._by_canonical()
        rows = OptOut.objects.filter(wanted).order_by("canonical_number")[: SHOWN + 1] if wanted is not None else []
        hits = [
            Hit(
                number(row.phone_number),
                _page(row),
                format_html("{} {}", capfirst(row.get_source_display()), moment(row.opted_out_at)),
            )
            for row in rows
        ]
        return self._group("opt_outs", _("Opt-outs"), hits, "admin:campaigns_optout_changelist")

    def _campaigns(self) -> Group:
        """Those whose names hold every word, in upper and lower case of every language."""
        words = self.term.casefold().split()
        names = Campaign.objects.order_by("-pk").values_list("pk", "name")[:CAMPAIGNS_COMPARED]
        found = [pk for pk, name in names if all(word in name.casefold() for word in words)][: SHOWN + 1]
        rows = (
            Campaign.objects.filter(pk__in=found).only("name", "status", "created_at").order_by("-pk") if found else []
        )
        hits = [
            Hit(row.name, _page(row), format_html("{} {}", status_pill(row), moment(row.created_at))) for row in rows
        ]
        return self._group("campaigns", _("Campaigns"), hits, "admin:campaigns_campaign_changelist")

    def pages(self, navigation: Navigation) -> Group:
        """Pages of the navigation, one of whose words begins so."""
        start = self.term.casefold()
        hits = [
            Hit(entry.title, entry.url)
            for entry in navigation.entries
            if start and any(words.startswith(start) for words in _endings(str(entry.title).casefold()))
        ]
        return Group("pages", _("Pages"), hits[:SHOWN])

    def _group(self, key: str, title: Promise, hits: list[Hit], url_name: str) -> Group:
        more = f"{reverse(url_name)}?{urlencode({'q': self.term})}" if len(hits) > SHOWN else ""
        return Group(key, title, hits[:SHOWN], more)

    def _spellings(self) -> list[str]:
        """A whole number in all the forms in which it may stand in a row."""
        assert self._e164 is not None
        return spellings(canonical(self._e164))

    def _by_canonical(self) -> Q | None:
        """Rows that are kept by the number in the form in which numbers are compared. None for what is no number."""
        if self._e164:
            return Q(canonical_number=canonical(self._e164))
        return number_query(self.term, "canonical_number")


def search_page(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """The whole page, or the hits alone for the list below the box."""
    search = Search(request, request.GET.get("q", ""))
    groups = search.groups()
    context = site.each_context(request)
    pages = search.pages(context["navigation"])
    groups += [pages] if pages.hits else []
    found: dict[str, Any] = {
        "term": search.term,
        "groups": groups,
        "hit_count": sum(len(group.hits) for group in groups),
        "nothing_found": nothing_found(search.term) if search.term and not groups else "",
    }
    if request.GET.get("as") == AS_LIST:
        return TemplateResponse(request, "admin/search_list.html", found)
    return TemplateResponse(request, "admin/search.html", {**context, "title": _t("Search"), **found})


def _endings(text: str) -> Iterator[str]:
    """The text from each of its words on."""
    return (text[found.start() :] for found in re.finditer(r"\w+", text))


def _page(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def _state_and_time(row: Campaign | SentMessage, words: str = "") -> str:
    return format_html("{} {} {}", status_pill(row), words, moment(row.created_at))


def _beside(contact: Contact) -> str:
    """What tells a contact from others of the same name."""
    if not contact.full_name:
        return contact.email
    return format_html("{} {}", number(contact.phone_number), contact.email)
