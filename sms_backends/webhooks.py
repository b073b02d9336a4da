"""
The view behind the addresses that providers call: verify, parse, hand on by signal, answer.

The answers are what makes providers behave: 200 for everything understood, ids nobody knows included, so that they do
not try again for days; 403 for a wrong signature; 400 for what cannot be understood; 500 for a bug of ours, so that
they do try again.
"""

from __future__ import annotations

import logging

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .base import BaseSmsBackend
from .exceptions import UnsupportedFeatureError, WebhookVerificationError
from .gateways import gateways
from .results import DeliveryReceipt, IncomingSms
from .signals import incoming_received, receipts_received

logger = logging.getLogger(__name__)

#: Receipts are short; the largest batches that providers push stay far below.
MAX_BODY_BYTES = 1024 * 1024


@csrf_exempt
@login_not_required
@require_http_methods(["GET", "HEAD", "POST"])
def webhook(request: HttpRequest, gateway: str) -> HttpResponse:
    """
    Take delivery receipts and incoming messages, told apart by their content: some providers have one address for both.

    Raises Http404 for a gateway that is not configured or has no webhooks.
    """
    if gateway not in gateways:
        raise Http404(f"There is no gateway {gateway!r}.")
    backend = gateways[gateway]
    if not (backend.capabilities.receipts_push or backend.capabilities.incoming_push):
        raise Http404(f"Gateway {gateway!r} takes no receipts or incoming messages.")
    if request.method == "HEAD":
        return HttpResponse()
    if _content_length(request) > MAX_BODY_BYTES:
        return HttpResponse("Too long\n", status=413, content_type="text/plain")
    return _take(request, gateway, backend)


def _take(request: HttpRequest, gateway: str, backend: BaseSmsBackend) -> HttpResponse:
    try:
        backend.verify_webhook(request)
        events = backend.parse_webhook(request)
    except WebhookVerificationError as error:
        # Neither number nor text: anybody can make this call.
        logger.warning("Webhook of gateway %s refused: %s", gateway, error)
        return HttpResponse("Wrong or missing signature\n", status=403, content_type="text/plain")
    except UnsupportedFeatureError as error:
        raise Http404(str(error)) from error
    except ValueError as error:
        logger.warning("Webhook of gateway %s cannot be understood (%s)", gateway, type(error).__name__)
        return HttpResponse("Cannot be understood\n", status=400, content_type="text/plain")
    _hand_on(gateway, backend, events)
    return HttpResponse(backend.webhook_answer, content_type="text/plain")


def _hand_on(gateway: str, backend: BaseSmsBackend, events: list[DeliveryReceipt | IncomingSms]) -> None:
    """Errors of receivers go through: they become the answer 500."""
    receipts = [event for event in events if isinstance(event, DeliveryReceipt)]
    incoming = [event for event in events if isinstance(event, IncomingSms)]
    if receipts:
        receipts_received.send(type(backend), gateway=gateway, receipts=receipts)
    if incoming:
        incoming_received.send(type(backend), gateway=gateway, messages=incoming)


def _content_length(request: HttpRequest) -> int:
    try:
        return int(request.headers.get("Content-Length") or 0)
    except ValueError:
        return 0
