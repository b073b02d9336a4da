"""The form of a campaign while it is written: what the text means for people, drafts kept by themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _t

from campaigns import drafts
from campaigns.composing import normalise_name
from campaigns.models import Campaign, CampaignDraft, MessageTemplate
from campaigns.writing_form import campaign_version

from .base import acting_user
from .campaign_actions import CampaignActions
from .campaign_urls import action_url
from .writing_panel import WHO, writing_panel, written_in


class CampaignWriting(CampaignActions):
    """What the page of a campaign asks the server while somebody types. Only `draft/` writes, and only their draft."""

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, tuple[Any, str]] = {
            "check/": (self.check_view, "check"),
            "draft/": (self.draft_view, "new_draft"),
            "discard/": (self.discard_view, "discard_new"),
            "<int:pk>/draft/": (self.draft_view, "draft"),
            "<int:pk>/discard/": (self.discard_view, "discard"),
            "template/<int:template>/": (self.template_view, "template"),
            "<int:pk>/as-template/": (self.as_template_view, "as_template"),
        }
        own = [
            path(address, self.admin_site.admin_view(view), name=f"campaigns_campaign_{name}")
            for address, (view, name) in views.items()
        ]
        return own + super().get_urls()

    def _written_campaign(self, request: HttpRequest, pk: int | None) -> Campaign | None:
        """The campaign that is written, None for a new one. Raises PermissionDenied and Http404."""
        campaign = get_object_or_404(Campaign, pk=pk) if pk is not None else None
        allowed = self.has_change_permission(request) if campaign else self.has_add_permission(request)
        if not allowed:
            raise PermissionDenied
        return campaign

    # --- what the text means ---------------------------------------------------------------------------------

    def check_view(self, request: HttpRequest) -> HttpResponse:
        """The panel for a form as it is typed. A POST, so that texts are in no log of addresses; it changes nothing."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        form = self.form(request.POST)
        panel = writing_panel(written_in(form), who=request.POST.get("who", ""), number=self._number(request))
        return JsonResponse(
            {
                "html": render_to_string("admin/campaigns/campaign/writing.html", panel, request),
                "texts": panel["texts"],
                "values": self._longest_values(panel),
            }
        )

    def _number(self, request: HttpRequest) -> str:
        """A number to be looked up, by whoever may see contacts."""
        return request.POST.get("number", "") if request.user.has_perm("campaigns.view_contact") else ""

    def _longest_values(self, panel: Mapping[str, Any]) -> dict[str, str]:
        """By comparable name, what the estimate in the browser puts in."""
        return {normalise_name(one.name): one.longest for one in panel["fields"]}

    def template_view(self, request: HttpRequest, template: int) -> HttpResponse:
        """A template's texts, to be put into the form."""
        if not (self.has_add_permission(request) or self.has_change_permission(request)):
            raise PermissionDenied
        found = get_object_or_404(MessageTemplate, pk=template)
        return JsonResponse({"body": found.body, "texts": found.texts_by_language()})

    def as_template_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Save a campaign's texts as a template, and open it."""
        campaign = get_object_or_404(Campaign, pk=pk)
        if not (self.has_view_permission(request) and request.user.has_perm("campaigns.add_messagetemplate")):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        from .templates import template_from

        template = template_from(campaign, actor=acting_user(request))
        self.message_user(request, _t("This is the new template, with the texts of “%s”.") % campaign.name)
        return HttpResponseRedirect(template.get_absolute_url())

    # --- drafts that keep themselves -------------------------------------------------------------------------

    def draft_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Keep what is typed (`typed`), and tell who else types and whether somebody has saved meanwhile."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        campaign, user = self._written_campaign(request, pk), acting_user(request)
        if campaign is not None and not campaign.is_editable:
            problem = _t("“%(name)s” is %(status)s and cannot be changed any more.")
            words = {"name": campaign.name, "status": campaign.get_status_display()}
            return JsonResponse({"problem": problem % words}, status=409)
        answer: dict[str, Any] = {}
        if request.POST.get("typed"):
            version = request.POST.get("draft_version", "0")
            try:
                draft = drafts.keep(
                    user,
                    campaign,
                    self._fields(request),
                    version=int(version) if version.isdecimal() else 0,
                    base=request.POST.get("version", "")[:40],
                )
            except drafts.Overtaken as overtaken:
                return self._overtaken(overtaken.draft)
            except drafts.TooLarge:
                return JsonResponse({"problem": _t("This is too long to be kept.")}, status=413)
            time = date_format(timezone.localtime(draft.saved_at), "TIME_FORMAT")
            answer = {"draft_version": draft.version, "said": _t("Kept at %(time)s, not saved yet.") % {"time": time}}
        else:
            drafts.seen(user, campaign)
        return JsonResponse(answer | self._company(request, campaign))

    def _fields(self, request: HttpRequest) -> dict[str, list[str]]:
        """The fields of the form as they were sent, and nothing else."""
        names = {name for name in cast(Any, self.form).base_fields if name != "version"}
        return {
            key: request.POST.getlist(key)
            for key in request.POST
            if key in names or key.rpartition("-")[0] in names or key.rpartition("_")[0] in names
        }

    def _overtaken(self, draft: CampaignDraft | None) -> JsonResponse:
        problem = _t("This campaign is open in another window of yours, and what you typed there was kept.")
        if draft is None:
            problem = _t("What you typed was saved or thrown away in another window of yours.")
        text = (draft.fields.get("body") or [""])[0] if draft else ""
        return JsonResponse(
            {"problem": problem, "text": text, "draft_version": draft.version if draft else 0}, status=409
        )

    def _company(self, request: HttpRequest, campaign: Campaign | None) -> dict[str, Any]:
        """Who else writes here, and what they saved after this page was opened."""
        if campaign is None:
            return {}
        now, known = campaign_version(campaign), request.POST.get("version", "")
        context = {
            "others": others_of(campaign, request),
            "theirs": theirs_of(campaign) if known and now != known else None,
            "discard_url": action_url(campaign, "discard"),
        }
        html = render_to_string("admin/campaigns/campaign/company.html", context, request)
        return {"campaign_version": now, "company": html}

    def discard_view(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        """Throw away what was typed and not saved."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        campaign = self._written_campaign(request, pk)
        drafts.forget(acting_user(request), campaign)
        self.message_user(request, _t("What you had not saved is thrown away."))
        return HttpResponseRedirect(
            campaign.get_absolute_url() if campaign else reverse("admin:campaigns_campaign_add")
        )

    # --- the page --------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """The form begins with what this person typed and did not save."""
        form = super().get_form(request, obj, change=change, **kwargs)
        if request.method == "GET" and (obj is None or self.has_change_permission(request, obj)):
            cast(Any, form).draft = drafts.draft_of(acting_user(request), obj)
        return form

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        form, obj = context["adminform"].form, kwargs.get("obj")
        if kwargs.get("add") or self.has_change_permission(request, obj):
            context |= self._writing_context(request, form, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _writing_context(self, request: HttpRequest, form: Any, campaign: Campaign | None) -> dict[str, Any]:
        saved = campaign if campaign and campaign.pk else None
        # A form that was refused is shown again; what is typed into it from now on goes on with the draft there is.
        kept = form.draft or drafts.draft_of(acting_user(request), saved)
        written = written_in(form)
        who = request.POST.get("_check", "") if form.is_bound else ""
        panel = writing_panel(written, who=who, number=self._number(request) if form.is_bound else "")
        return {
            "panel": panel,
            "known": json.dumps({"texts": panel["texts"], "values": self._longest_values(panel)}),
            "who_choices": WHO,
            "number": request.POST.get("number", ""),
            "draft": form.draft,
            "draft_version": kept.version if kept else 0,
            "draft_url": action_url(saved, "draft") if saved else reverse("admin:campaigns_campaign_new_draft"),
            "discard_url": action_url(saved, "discard") if saved else reverse("admin:campaigns_campaign_discard_new"),
            "check_url": reverse("admin:campaigns_campaign_check"),
            "template_url": reverse("admin:campaigns_campaign_template", args=[0]),
            "others": others_of(saved, request) if saved else [],
            "theirs": theirs_of(form.theirs) if form.theirs else None,
            "mine": written.body,
            "keeper": f"{acting_user(request).pk}:{saved.pk if saved else 'new'}",
        }


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody else who has typed into the same campaign."""

    name: str
    since: Any
    is_present: bool


def others_of(campaign: Campaign, request: HttpRequest) -> list[Colleague]:
    """Who else has changes of this campaign that are not saved."""
    return [
        Colleague(draft.user.get_short_name() or draft.user.get_username(), draft.started_at, drafts.is_present(draft))
        for draft in drafts.others_writing(campaign, acting_user(request))
    ]


def theirs_of(campaign: Campaign) -> dict[str, Any]:
    """What somebody saved meanwhile: who, when and the texts."""
    last = campaign.audit_events.select_related("actor").order_by("-pk").first()
    actor = last.actor if last else None
    return {
        "by": (actor.get_short_name() or actor.get_username()) if actor else "",
        "at": campaign.updated_at,
        "body": campaign.body,
        "texts": campaign.texts,
        "version": campaign_version(campaign),
    }
