"""The admin site of the product: stock pages, and a navigation by what people do."""

from __future__ import annotations

from typing import Any, NamedTuple

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class Section(NamedTuple):
    """A heading of the navigation and the models under it, by name; what a user may not see is left out."""

    key: str
    title: Any
    models: tuple[str, ...]
    collapsed: bool = False


SECTIONS = (
    Section("campaigns", _("Campaigns"), ("Campaign",)),
    Section("contacts", _("Contacts"), ("Contact", "ContactGroup", "ContactImport", "OptOut")),
    Section("log", _("Delivery log"), ("SentMessage", "InboundMessage")),
    Section("providers", _("Providers"), ("GatewayState", "UnmatchedReceipt")),
    Section(
        "system",
        _("System"),
        ("User", "Group", "Holiday", "AuditEvent", "Heartbeat", "OrmQ", "Schedule", "Success", "Failure"),
        collapsed=True,
    ),
)


#: What the navigation calls models whose own names say too little.
NAMES = {
    "Group": _("Permission groups"),
    "OrmQ": _("Task queue"),
    "Schedule": _("Scheduled tasks"),
    "Success": _("Successful tasks"),
    "Failure": _("Failed tasks"),
}


class SmsAdminSite(admin.AdminSite):
    """The stock admin with the product's name, navigation and start page."""

    site_header = _("SMS campaigns")
    site_title = _("SMS campaigns")
    index_title = _("Start")
    index_template = "admin/start.html"
    empty_value_display = "–"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The models by task instead of by app, in the shape that Django's templates know."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        visible = {model["object_name"]: model for app in super().get_app_list(request) for model in app["models"]}
        for name, words in NAMES.items():
            if name in visible:
                visible[name]["name"] = words
        index_url = reverse("admin:index", current_app=self.name)
        return [
            {
                "name": section.title,
                "app_label": section.key,
                "app_url": index_url,
                "has_module_perms": True,
                "collapsed": section.collapsed,
                "models": models,
            }
            for section in SECTIONS
            if (models := [visible[name] for name in section.models if name in visible])
        ]

    def app_index(  # type: ignore[override]  # Django's types allow no redirect
        self, request: HttpRequest, app_label: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Apps mean nothing to operators: their pages lead to the start page."""
        super().app_index(request, app_label, extra_context)  # 404 for what is no app, or not for this user
        return HttpResponseRedirect(reverse("admin:index", current_app=self.name))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """The start page: the way in on an empty installation, what is going on in any other."""
        from .admin.start import start_page

        return super().index(request, {"start": start_page(request), **(extra_context or {})})
