"""The page behind the link in a text: nobody signs in, nothing is changed by looking at it, one press opts out."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from .models import OptOutSource
from .optouts import record_opt_out
from .unsubscribing import NoSuchLink, number_of

#: Links of others that one address may try in a minute, and presses on one link. Real ones cannot be guessed anyway.
WRONG_LINKS = 20
PRESSES = 5
SECONDS = 60


@csrf_exempt  # the link itself is the proof; phones that keep no cookies must be able to press the button
@login_not_required
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Ask; on POST opt out the number that the link names."""
    try:
        number = number_of(token)
    except NoSuchLink:
        return _wrong_link(request)
    # No more than the last digits: a text may be read over somebody's shoulder, or passed on.
    whose = {"number": f"…{number[-2:]}"}
    if request.method != "POST":
        return _page(
            request, text=_("The phone number ending in %(number)s will get no more messages.") % whose, token=token
        )
    if _too_often(f"unsubscribe:{token}", PRESSES):
        return _page(request, text=_("Please wait a minute and try again."), status=429)
    record_opt_out(number, source=OptOutSource.LINK, note=_("by the link in a message"))
    return _page(request, text=_("Done. The phone number ending in %(number)s gets no more messages.") % whose)


def _wrong_link(request: HttpRequest) -> HttpResponse:
    if _too_often(f"unsubscribe:{request.META.get('REMOTE_ADDR', '')}", WRONG_LINKS):
        return _page(request, text=_("Please wait a minute and try again."), status=429)
    sentence = _("This link is not complete, or is no longer valid. Reply STOP to the message instead.")
    return _page(request, text=sentence, status=404)


def _page(request: HttpRequest, *, status: int = 200, **context: Any) -> HttpResponse:
    page = {"title": _("Opt out of messages"), **context}
    return render(request, "unsubscribe.html", page, status=status)


def _too_often(key: str, limit: int) -> bool:
    """Whether this was asked for more often than that within a minute, by this process or with the same Redis."""
    cache.add(key, 0, SECONDS)
    try:
        return cache.incr(key) > limit
    except ValueError:  # it has run out in between
        return False
