"""What stands on the page of a contact below the form: its history; and the page that makes one contact of two."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.text import Truncator
from django.utils.translation import gettext as _t

from campaigns import masking
from campaigns.audit import field_words
from campaigns.composing import as_text
from campaigns.contact_history import Entry, Key, entry_words, history, opt_outs_of
from campaigns.merging import MergeRefused, likely_duplicates, merge, plan
from campaigns.models import ConsentAct, Contact, MessageStatus
from campaigns.pseudonyms import is_pseudonym

from .base import BaseAdmin, acting_user
from .contact_filters import found_by
from .display import TONES, source_words
from .system import action_words

CANDIDATES = 10
_SNIPPET = 120


@dataclass(frozen=True)
class Line:
    """An entry of the history as it is shown."""

    at: datetime
    title: str
    details: str = ""
    tone: str = "quiet"
    url: str = ""


def e164(contact: Contact) -> str:
    """The contact's number."""
    return str(getattr(contact.phone_number, "as_e164", contact.phone_number))


def may_merge(request: HttpRequest) -> bool:
    """It changes one contact and deletes another."""
    return request.user.has_perms(["campaigns.change_contact", "campaigns.delete_contact", "campaigns.merge_contact"])


def history_page(request: HttpRequest, contact: Contact) -> dict[str, Any]:
    """The part of the history that is asked for, and what leads on."""
    before = Key.read(request.GET.get("before", ""))
    page = history(contact, before=before)
    can_see_messages = request.user.has_perm("campaigns.view_sentmessage")
    hidden = set() if can_see_messages else {"message", "event"}
    if not request.user.has_perm("campaigns.view_inboundmessage"):
        hidden.add("reply")
    return {
        "history": [line(entry) for entry in page.entries if entry.kind not in hidden],
        "history_older": str(page.older) if page.older else "",
        "history_is_old": before is not None,
        "opt_outs": opt_outs_of(contact),
        "likely_duplicates": likely_duplicates(contact) if may_merge(request) else [],
    }


def line(entry: Entry) -> Line:
    """An entry in words."""
    title, details, tone, url = _WORDS[entry.kind](entry.thing)
    return Line(entry.key.at, masking.in_text(title or entry_words(entry.kind)), masking.in_text(details), tone, url)


Words = tuple[str, str, str, str]


def number_words(number: str) -> str:
    """The number; in words where whoever had it last was erased."""
    return _t("a number that was erased") if is_pseudonym(number) else masking.number(number)


def _message(message: Any) -> Words:
    about = message.campaign.name if message.campaign else message.get_purpose_display()
    title = _t("Message to %(number)s: %(status)s") % {
        "number": number_words(message.phone_number),
        "status": message.get_status_display(),
    }
    details = " · ".join(part for part in (about, masking.text(Truncator(message.body).chars(_SNIPPET))) if part)
    return title, details, _tone(message.status), message.get_absolute_url()


def _event(event: Any) -> Words:
    payload = event.payload if isinstance(event.payload, dict) else {}
    said = str(payload.get("status") or "")
    labels = dict(MessageStatus.choices)
    details = " · ".join(
        str(part)
        for part in (
            labels.get(said, said),
            masking.raw(str(payload.get("provider_text") or "")),
            event.message.campaign.name if event.message.campaign else "",
        )
        if part
    )
    return str(event.get_kind_display()).capitalize(), details, _tone(said), event.message.get_absolute_url()


def _tone(status: str) -> str:
    tone = TONES.get(status, "quiet")
    return tone if tone in {"good", "bad", "unsure"} else "quiet"


def _reply(reply: Any) -> Words:
    url = reverse("admin:campaigns_inboundmessage_change", args=[reply.pk])
    return "", masking.text(Truncator(reply.text).chars(_SNIPPET)), "good", url


def _import(row: Any) -> Words:
    it = row.contact_import
    details = _t("%(file)s, row %(row)d: %(kind)s") % {
        "file": it.file_name,
        "row": row.number,
        "kind": row.get_kind_display(),
    }
    return "", f"{details} · {it.created_by}" if it.created_by else details, "quiet", it.get_absolute_url()


def _act(event: Any) -> Words:
    who = str(event.actor or _t("by itself"))
    fields = event.details.get("fields") if isinstance(event.details, dict) else None
    note = event.details.get("note") if isinstance(event.details, dict) else None
    details = ", ".join(field_words(str(name)) for name in fields) if isinstance(fields, list) else masking.text(note)
    return f"{who} {action_words(event.action)}", details, "quiet", ""


def _opt_out(opt_out: Any) -> Words:
    title = _t("%(number)s opted out") % {"number": number_words(opt_out.phone_number)}
    details = " · ".join(
        str(part) for part in (opt_out.get_source_display(), opt_out.created_by, masking.text(opt_out.note)) if part
    )
    return title, details, "bad", reverse("admin:campaigns_optout_change", args=[opt_out.pk])


def _former(former: Any) -> Words:
    name = " ".join(filter(None, (former.was.get("first_name"), former.was.get("last_name"))))
    if is_pseudonym(former.phone_number):
        title = _t("A number became a former number, and was erased when somebody else had it")
    elif former.was:
        title = _t("%(number)s became a former number: two contacts were merged") % {
            "number": masking.number(former.phone_number)
        }
    else:
        title = _t("%(number)s became a former number") % {"number": masking.number(former.phone_number)}
    return title, " · ".join(str(part) for part in (name, former.recorded_by) if part), "quiet", ""


def _consent(contact: Any) -> Words:
    title = _t("Consent: %(state)s") % {"state": contact.get_consent_display()}
    details = " · ".join(part for part in (contact.consent_source, masking.text(contact.consent_evidence)) if part)
    return title, details, "good" if contact.consent == "given" else "quiet", ""


def _consent_change(change: Any) -> Words:
    title = f"{change.get_act_display()} ({number_words(change.phone_number)})"
    parts = (source_words(change.source), change.actor, masking.text(change.evidence))
    details = " · ".join(str(part) for part in parts if part)
    tone = {ConsentAct.GIVEN: "good", ConsentAct.OPTED_IN: "good", ConsentAct.OPTED_OUT: "bad"}.get(change.act, "quiet")
    return title[:1].upper() + title[1:], details, tone, ""


def _created(_contact: Any) -> Words:
    return "", "", "quiet", ""


_WORDS: dict[str, Any] = {
    "message": _message,
    "event": _event,
    "reply": _reply,
    "import": _import,
    "act": _act,
    "opt_out": _opt_out,
    "former_number": _former,
    "consent": _consent,
    "consent_change": _consent_change,
    "created": _created,
}


# --- merging ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Compared:
    """One thing that both contacts have or lack, and what will be."""

    label: str
    kept: str
    other: str
    result: str


def merge_page(model_admin: BaseAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    """Without `?with=`, look for the other contact; with it, show both. `?keep=` says which number stays."""
    other_id = request.GET.get("with", "")
    other = Contact.objects.filter(pk=int(other_id)).exclude(pk=contact.pk).first() if other_id.isdecimal() else None
    if other is None:
        return _choose(model_admin, request, contact)
    kept, gone = (other, contact) if request.GET.get("keep") == str(other.pk) else (contact, other)
    if request.method == "POST":
        try:
            merge(kept, gone, actor=acting_user(request))
        except MergeRefused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _t("They are one contact now. The history shows both numbers."))
            return HttpResponseRedirect(reverse("admin:campaigns_contact_change", args=[kept.pk]))
    here = reverse("admin:campaigns_contact_merge", args=[contact.pk])
    context = model_admin.admin_context(
        request,
        title=_t("Merge two contacts"),
        original=contact,
        kept=kept,
        gone=gone,
        rows=compared(kept, gone),
        opt_outs=opt_outs_of(gone),
        swap_url=f"{here}?with={other.pk}&keep={gone.pk}",
        back_url=here,
    )
    return TemplateResponse(request, "admin/campaigns/contact/merge.html", context)


def _choose(model_admin: BaseAdmin, request: HttpRequest, contact: Contact) -> HttpResponse:
    term = request.GET.get("q", "").strip()
    found = Contact.objects.in_use().filter(found_by(term)).exclude(pk=contact.pk).order_by("-pk") if term else None
    context = model_admin.admin_context(
        request,
        title=_t("Merge with another contact"),
        original=contact,
        term=term,
        found=list(found[:CANDIDATES]) if found is not None else likely_duplicates(contact, CANDIDATES),
    )
    return TemplateResponse(request, "admin/campaigns/contact/choose.html", context)


def compared(kept: Contact, gone: Contact) -> list[Compared]:
    """Both side by side, and what will be kept of them."""
    merged = plan(kept, gone)
    rows = [
        Compared(
            str(Contact._meta.get_field(name).verbose_name),  # type: ignore[union-attr]
            getattr(kept, name),
            getattr(gone, name),
            value,
        )
        for name, value in merged.fields.items()
    ]
    for name, value in sorted(merged.attributes.items()):
        pair = [as_text(_attribute(contact, name)) for contact in (kept, gone)]
        rows.append(Compared(name, pair[0], pair[1], as_text(value)))
    groups = [", ".join(sorted(group.name for group in contact.groups.all())) for contact in (kept, gone)]
    rows.append(Compared(_t("groups"), groups[0], groups[1], ", ".join(merged.groups)))
    consent = [str(contact.get_consent_display()) for contact in (kept, gone)]
    rows.append(Compared(_t("consent"), consent[0], consent[1], consent[0]))
    return [row for row in rows if row.kept or row.other]


def _attribute(contact: Contact, name: str) -> Any:
    return next((value for known, value in contact.attributes.items() if known.casefold() == name.casefold()), "")
