"""The part of a contact's page that says what may be sent to the person, and how that is known."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from campaigns.consent import note_changes, rule_for, suppress_marketing
from campaigns.models import CampaignKind, Consent, ConsentChange, Contact, Conversation
from campaigns.optouts import find_opt_out
from campaigns.person_export import NEEDED
from sms_backends.phone_numbers import canonical

from .base import acting_user
from .opt_outs import opt_out_url

HISTORY_SHOWN = 50
CONSENT_FIELDS = frozenset({"consent", "consent_kind", "consented_at", "consent_source", "consent_evidence"})


class ContactConsentMixin:
    """For the contact's page: shows proof and history, and writes the history when the form changes the consent."""

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        contact = self.get_object(request, object_id)  # type: ignore[attr-defined]
        page = {"consent": consent_page(request, contact)} if contact is not None else {}
        context = {**page, **(extra_context or {})}
        return super().change_view(request, object_id, form_url, context)  # type: ignore[misc,no-any-return]

    def save_model(self, request: HttpRequest, obj: Contact, form: Any, change: bool) -> None:
        changed = CONSENT_FIELDS & set(form.changed_data)
        if changed and obj.consent == Consent.GIVEN and obj.consented_at is None:
            obj.consented_at = timezone.now()
        super().save_model(request, obj, form, change)  # type: ignore[misc]
        if changed and (change or obj.consent != Consent.UNKNOWN):
            note_changes(
                [(obj.pk, str(getattr(obj.phone_number, "as_e164", obj.phone_number)))],
                Consent(obj.consent),
                kind=obj.consent_kind,
                source=obj.consent_source,
                evidence=obj.consent_evidence,
                at=obj.consented_at or timezone.now(),
                actor=acting_user(request),
            )
            suppress_marketing([obj.pk], rule_for(CampaignKind.MARKETING))


def consent_page(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """What the template shows of a contact's consent, opt-out and history."""
    number = canonical(contact.phone_number.as_e164)
    opt_out = find_opt_out(number)
    conversation = Conversation.objects.filter(canonical_number=number).first()
    history = ConsentChange.objects.filter(canonical_number=number).select_related("actor").order_by("-pk")
    may = request.user.has_perm
    return {
        "opt_out": opt_out,
        "opt_out_url": opt_out_url(opt_out) if opt_out and may("campaigns.view_optout") else "",
        "history": list(history[:HISTORY_SHOWN]),
        "conversation": conversation if may("campaigns.view_conversation") else None,
        "is_held": conversation is not None and conversation.held_since is not None,
        "export_url": _url("campaigns_erasure_export", contact) if request.user.has_perms(NEEDED) else "",
        "erase_url": _url("campaigns_erasure_add", contact) if may("campaigns.add_erasure") else "",
    }


def _url(name: str, contact: Contact) -> str:
    return f"{reverse(f'admin:{name}')}?contact={contact.pk}"
