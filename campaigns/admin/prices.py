"""What the gateways' providers charge: a page for each gateway, with all its prices."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import audit
from campaigns.gateway_control import ensure_states
from campaigns.gateway_forms import PriceForm, PriceListForm
from campaigns.models import GatewayPrice, PriceList
from campaigns.wakeups import wake
from sms_backends import gateways

from .base import BaseAdmin, acting_user
from .changes import changes_of, plain

BLANK_ROWS = 5


def may_change_prices(request: HttpRequest) -> bool:
    """Whoever may change prices may add and remove them."""
    return request.user.has_perm("campaigns.change_gatewayprice")


class PriceInline(admin.TabularInline):  # type: ignore[type-arg]
    """The prices of one gateway."""

    model = GatewayPrice
    form = PriceForm
    extra = BLANK_ROWS
    verbose_name = _("price")
    verbose_name_plural = _("Prices of one SMS segment; of several beginnings that fit, the longest counts")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change_prices(request)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change_prices(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change_prices(request)


@admin.register(PriceList)
class PriceListAdmin(BaseAdmin):
    """One price list for each configured gateway."""

    form = PriceListForm
    fields = ("price_currency",)
    inlines = (PriceInline,)
    list_display = ("alias", "price_currency", "price_count")
    actions = None
    empty_text = _("No gateway is set up.")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_change_prices(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("campaigns.view_gatewayprice") or may_change_prices(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[PriceList]:
        return PriceList.objects.filter(alias__in=list(gateways)).annotate(n=Count("prices"))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        ensure_states()
        return super().changelist_view(request, {"title": _t("Prices"), **(extra_context or {})})

    @admin.display(description=_("prices"), ordering="n")
    def price_count(self, price_list: Any) -> str:
        return str(price_list.n) if price_list.n else _t("none yet")

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        with transaction.atomic():
            super().save_related(request, form, formsets, change)
            changed = form.changed_data or any(formset.has_changed() for formset in formsets)
            if changed:
                changes = _what_changed(form, formsets[0])
                alias = form.instance.alias
                audit.record("gateway_prices", actor=acting_user(request), subject=alias, changes=changes)
                wake("sweep")  # messages may wait for nothing but a price


def _what_changed(form: Any, formset: Any) -> dict[Any, tuple[Any, Any]]:
    """By beginning of the number, the price before and after."""
    changes = changes_of(form)
    for one in formset.forms:
        if one.has_changed() and one not in formset.deleted_forms:
            changes[_label(one.instance)] = (
                plain(one.initial.get("per_segment")),
                plain(one.instance.per_segment),
            )
    for one in formset.deleted_objects:
        changes[_label(one)] = (plain(one.per_segment), None)
    return changes


def _label(price: GatewayPrice) -> Any:
    return f"+{price.prefix}" if price.prefix else _("all others")
