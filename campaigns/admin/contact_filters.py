"""What the list of contacts can be narrowed to, and how it is searched: by indexes only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campaigns.models import Contact, ContactGroup, FormerNumber, SmartGroup
from campaigns.smart_groups import ConditionsError, matching

from .base import number_query

GROUPS_OFFERED = 20
#: Former numbers that one search may lead to.
FORMER_SHOWN = 50


class GroupFilter(admin.SimpleListFilter):
    """The first groups by name, and whichever is chosen. All others are reached from their own list."""

    title = _("group")
    parameter_name = "groups__id__exact"
    groups = ContactGroup.objects.filter(conditions__isnull=True)

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        offered = dict(self.groups.all().order_by("name").values_list("pk", "name")[:GROUPS_OFFERED])
        chosen = self.value() or ""
        if chosen.isdecimal() and int(chosen) not in offered:
            offered.update(self.groups.filter(pk=int(chosen)).values_list("pk", "name"))
        return [(str(pk), name) for pk, name in offered.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        value = self.value()
        if value is None:
            return queryset
        if not value.isdecimal():
            return queryset.none()
        members = Contact.groups.through.objects.filter(contactgroup=int(value))
        return queryset.filter(pk__in=members.values("contact"))


class SmartGroupFilter(GroupFilter):
    """Who meets the conditions of a smart group now."""

    title = _("smart group")
    parameter_name = "smart_group"
    groups = ContactGroup.objects.filter(conditions__isnull=False)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Contact]) -> QuerySet[Contact]:
        value = self.value()
        if value is None:
            return queryset
        group = SmartGroup.objects.filter(pk=int(value)).first() if value.isdecimal() else None
        if group is None:
            return queryset.none()
        try:
            return queryset.filter(matching(group.conditions))
        except ConditionsError:
            return queryset.none()


def found_by(term: str) -> Q:
    """
    The contacts that are meant by what somebody typed: a number in any spelling or its first digits, also a former
    number, or the beginnings of names or of an e-mail address.
    """
    numbers = number_query(term)
    if numbers is not None:
        former = number_query(term, "phone_number")
        ids = list(FormerNumber.objects.filter(former).values_list("contact", flat=True)[:FORMER_SHOWN])
        return numbers | Q(pk__in=ids) if ids else numbers
    found = Q()
    for word in term.split():
        found &= Q(first_name__istartswith=word) | Q(last_name__istartswith=word) | Q(email__istartswith=word)
    return found
