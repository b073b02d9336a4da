"""The inbox: conversations by number, who takes care of them, and what is answered from here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext as _t
from django.utils.translation import gettext_lazy as _

from campaigns import conversations, masking
from campaigns.conversations import InboxError
from campaigns.forms import new_nonce
from campaigns.inbox_forms import AnswerForm
from campaigns.models import Conversation, InboundMessage, Meaning, MessageStatus, SentMessage
from campaigns.optouts import find_opt_out
from sms_backends.phone_numbers import spellings

from .base import NumberSearchMixin, ReadOnlyAdmin, acting_user
from .display import moment, object_link
from .opt_outs import opt_out_url

BUBBLES = 40
ACTIONS = ("answer", "seen", "assign", "settle", "review")


class StateFilter(admin.SimpleListFilter):
    """What is to be done comes first; everything else is a click away."""

    title = _("state")
    parameter_name = "state"
    TO_DO = "to_do"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (self.TO_DO, _("to be answered")),
            ("unread", _("unread")),
            ("mine", _("taken by me")),
            ("free", _("taken by nobody")),
            ("review", _("to be reviewed")),
            ("answered", _("answered")),
            ("all", _("all")),
        ]

    def choices(self, changelist: Any) -> Iterator[Any]:
        chosen = self.value() or self.TO_DO
        for value, label in self.lookup_choices:
            query = changelist.get_query_string({self.parameter_name: value})
            yield {"selected": chosen == value, "query_string": query, "display": label}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Conversation]) -> QuerySet[Conversation]:
        to_do = queryset.filter(needs_answer=True)
        chosen = {
            "unread": queryset.filter(unread_count__gt=0),
            "mine": to_do.filter(assigned_to=request.user.pk),
            "free": to_do.filter(assigned_to=None),
            "review": queryset.filter(held_since__isnull=False),
            "answered": queryset.filter(needs_answer=False, answered_at__isnull=False),
            "all": queryset,
        }
        # A search looks everywhere unless a state was chosen.
        otherwise = queryset if request.GET.get("q") else to_do
        return chosen.get(self.value() or "", otherwise)


@dataclass(frozen=True)
class Bubble:
    """A message of a conversation, theirs or ours."""

    at: datetime
    text: str
    is_ours: bool
    inbound: InboundMessage | None = None
    message: SentMessage | None = None

    @property
    def meaning(self) -> str:
        """What theirs was understood as, where that is worth a word."""
        known = self.inbound is not None and self.inbound.meaning not in {Meaning.NONE, Meaning.AUTOMATIC}
        return str(self.inbound.get_meaning_display()) if self.inbound and known else ""


@admin.register(Conversation)
class ConversationAdmin(NumberSearchMixin, ReadOnlyAdmin):
    """What people wrote, number by number."""

    list_display = ("who", "said", "when", "state", "assigned_to")
    list_filter = (StateFilter,)
    list_select_related = ("contact", "assigned_to")
    search_fields = ("contact__first_name", "contact__last_name")
    search_help_text = _("A phone number in any spelling, its first digits, or a name.")
    sortable_by = ()
    change_form_template = "admin/campaigns/conversation/page.html"
    change_list_template = "admin/campaigns/conversation/change_list.html"
    empty_text = _("Nobody has written to you yet. Replies come here when the provider passes them on.")

    def has_answer_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.answer_conversation")

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("campaigns.review_conversation")

    @admin.display(description=_("from"))
    def who(self, conversation: Conversation) -> str | SafeString:
        name = conversation.contact.full_name if conversation.contact else ""
        line = format_html('{} <span class="quiet">{}</span>', masking.number(conversation.phone_number), name)
        return format_html("<strong>{}</strong>", line) if conversation.unread_count else line

    @admin.display(description=_("last message"))
    def said(self, conversation: Conversation) -> str:
        return masking.text(Truncator(conversation.last_text).chars(90))

    @admin.display(description=_("received"))
    def when(self, conversation: Conversation) -> str | SafeString:
        return moment(conversation.last_at)

    @admin.display(description=_("state"))
    def state(self, conversation: Conversation) -> SafeString:
        return state_pills(conversation)

    # --- the page of a conversation -------------------------------------------------------------------------

    def get_urls(self) -> list[URLPattern]:
        views: dict[str, Callable[..., HttpResponse]] = {name: getattr(self, f"{name}_view") for name in ACTIONS}
        own = [
            path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"campaigns_conversation_{name}")
            for name, view in views.items()
        ]
        return [*own, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        conversation = self.get_object(request, object_id)
        page = self._page(request, conversation) if conversation is not None else {}
        return super().change_view(request, object_id, form_url, {**page, **(extra_context or {})})

    def _page(
        self, request: HttpRequest, conversation: Conversation, answer_form: AnswerForm | None = None
    ) -> dict[str, Any]:
        bubbles, older = bubbles_of(conversation, _moment_in(request.GET.get("before", "")))
        opt_out = find_opt_out(conversation.canonical_number)
        may_answer = self.has_answer_permission(request)
        return {
            "conversation": conversation,
            "pills": state_pills(conversation),
            "bubbles": bubbles,
            "older": older,
            "opt_out": opt_out,
            "opt_out_url": opt_out_url(opt_out) if opt_out else "",
            "refusal": conversations.why_not_answer(conversation),
            "may_answer": may_answer,
            "may_review": self.has_review_permission(request) and conversation.held_since is not None,
            "is_mine": conversation.assigned_to_id == request.user.pk,
            "answer_form": answer_form or AnswerForm(initial={"nonce": new_nonce()}),
            "keeper": _keeper(request, conversation),
            "urls": {name: reverse(f"admin:campaigns_conversation_{name}", args=[conversation.pk]) for name in ACTIONS},
        }

    def _act(self, request: HttpRequest, pk: int, *, review: bool = False) -> Conversation | HttpResponse:
        """The conversation to be acted upon. Raises PermissionDenied; another answer than POST gets is returned."""
        allowed = self.has_review_permission(request) if review else self.has_answer_permission(request)
        if not (allowed and self.has_view_permission(request)):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        return get_object_or_404(Conversation, pk=pk)

    def answer_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Write back. By GET, as after signing in anew, it only leads to the conversation."""
        conversation = self._act(request, pk)
        if isinstance(conversation, HttpResponseNotAllowed):
            return HttpResponseRedirect(reverse("admin:campaigns_conversation_change", args=[pk]))
        if isinstance(conversation, HttpResponse):
            return conversation
        form = AnswerForm(request.POST)
        if not form.is_valid():
            context = self.admin_context(request, title=str(conversation), original=conversation)
            page = {**context, **self._page(request, conversation, form)}
            return TemplateResponse(request, self.change_form_template, page)
        try:
            message, is_new = conversations.answer(
                conversation,
                form.cleaned_data["text"],
                actor=acting_user(request),
                nonce=form.cleaned_data["nonce"],
            )
        except InboxError as error:
            self.message_user(request, str(error), messages.ERROR)
            return HttpResponseRedirect(conversation.get_absolute_url())
        self._say_answered(request, conversation, message, is_new)
        return HttpResponseRedirect(conversation.get_absolute_url())

    def _say_answered(
        self, request: HttpRequest, conversation: Conversation, message: SentMessage, is_new: bool
    ) -> None:
        """With the sign by which the browser forgets its copy of the text."""
        tag = f"saved-by-{_keeper(request, conversation)}"
        if not is_new:
            self.message_user(request, _t("This answer was sent before; it goes out once."), messages.WARNING, tag)
        elif message.status == MessageStatus.SUPPRESSED:
            sentence = _t("The answer was not sent: %(reason)s.") % {"reason": message.reason_display}
            self.message_user(request, sentence, messages.ERROR, tag)
        else:
            link = object_link(message, _t("See what became of it"))
            self.message_user(request, format_html(_t("The answer is on its way. {}."), link), messages.SUCCESS, tag)

    def seen_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self._act(request, pk)
        if isinstance(conversation, HttpResponse):
            return conversation
        conversations.mark_read(conversation)
        return HttpResponseRedirect(conversation.get_absolute_url())

    def assign_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self._act(request, pk)
        if isinstance(conversation, HttpResponse):
            return conversation
        actor = acting_user(request)
        conversations.assign(conversation, None if request.POST.get("to") == "nobody" else actor, actor=actor)
        return HttpResponseRedirect(conversation.get_absolute_url())

    def settle_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self._act(request, pk)
        if isinstance(conversation, HttpResponse):
            return conversation
        if request.POST.get("as") == "open":
            conversations.reopen(conversation, actor=acting_user(request))
        else:
            conversations.mark_answered(conversation, actor=acting_user(request))
        return HttpResponseRedirect(conversation.get_absolute_url())

    def review_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        conversation = self._act(request, pk, review=True)
        if isinstance(conversation, HttpResponse):
            return conversation
        is_opt_out = request.POST.get("verdict") == "opt_out"
        try:
            conversations.review(conversation, is_opt_out=is_opt_out, actor=acting_user(request))
        except InboxError as error:
            self.message_user(request, str(error), messages.WARNING)
        else:
            sentence = _t("%(number)s is opted out.") if is_opt_out else _t("%(number)s may get marketing again.")
            self.message_user(
                request, sentence % {"number": masking.number(conversation.phone_number)}, messages.SUCCESS
            )
        return HttpResponseRedirect(conversation.get_absolute_url())


def state_pills(conversation: Conversation) -> SafeString:
    """What a conversation needs, as coloured words."""
    found = []
    if conversation.held_since:
        found.append(("unsure", _t("perhaps an opt-out")))
    if conversation.unread_count:
        found.append(("busy", _t("unread")))
    elif conversation.needs_answer:
        found.append(("waiting", _t("to be answered")))
    elif conversation.answered_at:
        found.append(("good", _t("answered")))
    return format_html_join(" ", '<span class="pill pill-{}">{}</span>', found or [("quiet", _t("nothing to do"))])


def bubbles_of(conversation: Conversation, before: datetime | None) -> tuple[list[Bubble], str]:
    """The latest messages of a conversation (`before` a time), oldest first; and where still older ones begin."""
    theirs = conversation.messages.select_related("campaign").order_by("-received_at", "-pk")
    numbers = spellings(conversation.canonical_number)
    ours = SentMessage.objects.filter(phone_number__in=numbers).exclude(status=MessageStatus.SUPPRESSED)
    ours = ours.select_related("campaign", "created_by").defer("provider_response").order_by("-pk")
    if before is not None:
        theirs, ours = theirs.filter(received_at__lt=before), ours.filter(created_at__lt=before)
    found = [Bubble(one.received_at, one.text, False, inbound=one) for one in theirs[: BUBBLES + 1]]
    found += [Bubble(one.sent_at or one.created_at, one.body, True, message=one) for one in ours[: BUBBLES + 1]]
    found.sort(key=lambda bubble: bubble.at)
    shown = found[-BUBBLES:]
    return shown, shown[0].at.isoformat() if len(found) > BUBBLES else ""


def _moment_in(text: str) -> datetime | None:
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None


def _keeper(request: HttpRequest, conversation: Conversation) -> str:
    """Under which name a browser keeps an answer that is being written."""
    return f"{acting_user(request).pk}:answer:{conversation.pk}"
