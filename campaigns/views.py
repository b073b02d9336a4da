"""The form at `/`: one text to one number, with the answer on the same page."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from sms_backends import get_sms_backend
from sms_backends.phone_numbers import InvalidPhoneNumber, parse

from .forms import QuickSendForm, new_nonce
from .models import PENDING, MessageStatus, Purpose, SentMessage, User
from .reports import workers_alive
from .single import queue_single

#: How long the page waits for the worker, and how often it looks.
WAIT_SECONDS = 10.0
LOOK_EVERY_SECONDS = 0.2
#: After these the operator will want to mend something and send again, so the form stays filled in.
TO_BE_MENDED = frozenset({MessageStatus.REJECTED, MessageStatus.FAILED, MessageStatus.SUPPRESSED})


def _refusal(request: HttpRequest) -> HttpResponse | None:
    """The sign-in page for people who are not signed in as staff. Raises PermissionDenied for staff who may not."""
    if not (request.user.is_active and request.user.is_staff):
        return redirect_to_login(request.get_full_path())
    if not request.user.has_perm("campaigns.send_quick"):
        raise PermissionDenied
    return None


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def quick_send(request: HttpRequest) -> HttpResponse:
    """Show the form; on POST queue the message, wait for the worker and show what came of it."""
    if refusal := _refusal(request):
        return refusal
    form = QuickSendForm(request.POST if request.method == "POST" else None, initial={"nonce": new_nonce()})
    result: dict[str, Any] = {}
    if form.is_valid():
        assert isinstance(request.user, User)
        message, is_new = queue_single(
            form.cleaned_data["phone"],
            form.cleaned_data["message_text"],
            purpose=Purpose.QUICK,
            actor=request.user,
            nonce=form.cleaned_data["nonce"] or None,
        )
        message = wait_for(message)
        result = {"message": message, "is_repeated": not is_new, "backend": backend_path(message.gateway)}
        form = _next_form(form, message)
    is_waiting = bool(result) and result["message"].status in PENDING
    return render(
        request,
        "quick_send.html",
        {
            **admin.site.each_context(request),
            "title": _("Send one message"),
            "form": form,
            "keeper": f"{request.user.pk}:quick",
            "is_waiting": is_waiting,
            "workers_alive": workers_alive(),
            **result,
        },
    )


def _next_form(form: QuickSendForm, message: SentMessage) -> QuickSendForm:
    """A form for another message: blank after a success, filled in when something has to be mended."""
    initial = {"nonce": new_nonce()}
    if message.status in TO_BE_MENDED:
        initial |= {"phone": form.data.get("phone", ""), "message_text": form.data.get("message_text", "")}
    return QuickSendForm(initial=initial)


def wait_for(message: SentMessage) -> SentMessage:
    """The message once the worker is through with it, or as it is when the time is up. Holds no transaction."""
    give_up_at = time.monotonic() + WAIT_SECONDS
    while message.status in PENDING and time.monotonic() < give_up_at and workers_alive():
        time.sleep(LOOK_EVERY_SECONDS)
        message.refresh_from_db()
    return message


def backend_path(alias: str) -> str:
    """The dotted path of the backend behind a gateway; what is wrong when there is none."""
    try:
        return get_sms_backend(alias).path()
    except ImproperlyConfigured as error:
        return str(error)


@never_cache
@require_GET
def read_number(request: HttpRequest) -> HttpResponse:
    """How `?phone=` is understood, for the hint below the field: `{"e164": ...}` or `{"problem": ...}`."""
    if refusal := _refusal(request):
        return refusal
    try:
        number = parse(request.GET.get("phone", ""), settings.SMS_DEFAULT_REGION)
    except InvalidPhoneNumber as error:
        return JsonResponse({"problem": error.reason})
    return JsonResponse({"e164": number.e164, "region": number.region, "assumed": number.assumed})
