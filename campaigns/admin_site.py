"""The admin site of the product: stock pages, and a navigation by what people do."""

from __future__ import annotations

from functools import wraps
from http import HTTPStatus
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from django.contrib import admin, messages
from django.contrib.auth.views import redirect_to_login
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext_lazy as _

#: What the first page is called wherever it is named.
START = _("Dashboard")


class Section(NamedTuple):
    """
    A heading of the navigation and the models under it, by name; what a user may not see is left out.

    `main` is the model that the heading leads to and stands for, if there is one.
    """

    key: str
    title: Any
    models: tuple[str, ...]
    main: str = ""


SECTIONS = (
    Section("campaigns", _("Campaigns"), ("Campaign", "MessageTemplate"), "Campaign"),
    Section(
        "contacts",
        _("Contacts"),
        (
            "Contact",
            "ContactGroup",
            "SmartGroup",
            "Attribute",
            "ContactImport",
            "ImportSource",
            "OptOut",
            "Erasure",
            "BulkAction",
        ),
        "Contact",
    ),
    Section("inbox", _("Inbox"), ("Conversation", "ReplyKeyword", "AutomaticReply"), "Conversation"),
    Section("log", _("Delivery log"), ("SentMessage", "InboundMessage"), "SentMessage"),
    Section("providers", _("Providers"), ("GatewayState", "PriceList", "UnmatchedReceipt"), "GatewayState"),
    Section(
        "system",
        _("System"),
        ("User", "Group", "Holiday", "AuditEvent", "Heartbeat", "OrmQ", "Schedule", "Success", "Failure"),
    ),
)


#: What the navigation calls models whose own names say too little.
NAMES = {
    "Conversation": _("Inbox"),
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
    index_title = START
    index_template = "admin/start.html"
    empty_value_display = "–"

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """As in the stock admin; but whose session ended comes back to the page where they pressed a button."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            is_signed_out = not request.user.is_authenticated
            if request.method == "POST" and is_signed_out and (page := _page_it_came_from(request)):
                if "text/html" in request.headers.get("Accept", ""):  # somebody reads the answer, not a script
                    messages.warning(
                        request,
                        _("You had been signed out, so nothing was done. Look at the page and do it once more."),
                    )
                return redirect_to_login(page, reverse("admin:login", current_app=self.name))
            return cast(HttpResponse, inner(request, *args, **kwargs))

        return guarded

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """The models by task instead of by app, in the shape that Django's templates know."""
        if app_label is not None:
            return super().get_app_list(request, app_label)
        if not hasattr(request, "sections_shown"):  # the start page asks twice
            request.sections_shown = self._sections(request)  # type: ignore[attr-defined]
        return request.sections_shown  # type: ignore[attr-defined,no-any-return]

    def _sections(self, request: HttpRequest) -> list[Any]:
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
                "main": section.main,
                "models": models,
            }
            for section in SECTIONS
            if (models := [visible[name] for name in section.models if name in visible])
        ]

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """One's own password; that it was changed stands in the audit trail."""
        from . import audit

        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == HTTPStatus.FOUND:
                user = cast(Any, request.user)
                audit.record("change_password", actor=user, subject=user.get_username())
        return response

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """With the navigation; only for those who are signed in."""
        context = super().each_context(request)
        if context["has_permission"]:
            from .admin.navigation import Navigation

            context["navigation"] = Navigation(request, context["available_apps"])
        return context

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [
            path("search/", self.admin_view(self.search), name="search"),
            path("dashboard/", self.admin_view(self.dashboard_view), name="dashboard"),
            *super().get_urls(),
        ]

    def search(self, request: HttpRequest) -> HttpResponse:
        """A number, a name or a campaign, from every page."""
        from .admin.search import search_page

        return search_page(self, request)

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

    def dashboard_view(self, request: HttpRequest) -> JsonResponse:
        """What the start page puts in place of what it shows, from time to time."""
        from .admin.start import start_page

        html = render_to_string("admin/dashboard/live.html", {"start": start_page(request)}, request)
        return JsonResponse({"html": html})


def _page_it_came_from(request: HttpRequest) -> str:
    """
    The path of our page that holds the button; empty where the browser does not say, or says another site.

    Where it leads to itself cannot be opened after signing in: it takes a press.
    """
    url = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, require_https=request.is_secure())
    if not is_ours or request.path == reverse("admin:logout"):
        return ""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
