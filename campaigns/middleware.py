"""What every page gets: a content security policy, and the zone and language of whoever reads it."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone, translation

from campaigns import masking

GetResponse = Callable[[HttpRequest], HttpResponseBase]

#: Everything comes from this installation; scripts and styles only from files, never from within a page.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'self'; form-action 'self'; "
    "frame-ancestors 'none'"
)


class ContentSecurityPolicyMiddleware:
    """Sends the content security policy (https://www.w3.org/TR/CSP3/) with every answer that has none of its own."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
        return response


class MaskingMiddleware:
    """Numbers and texts are shown as whoever is signed in may see them. Stands after AuthenticationMiddleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        user = request.user
        if not user.is_authenticated:
            return self.get_response(request)
        with masking.as_seen_by(user):
            return self.get_response(request)


class UserPreferencesMiddleware:
    """Shows pages in the user's time zone and language. Stands after LocaleMiddleware and AuthenticationMiddleware."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with timezone.override(_time_zone_of(request)):
            language = getattr(request.user, "language", "")
            if not language:
                return self.get_response(request)
            with translation.override(language):
                response = self.get_response(request)
                response.headers["Content-Language"] = language
                return response


def _time_zone_of(request: HttpRequest) -> zoneinfo.ZoneInfo | None:
    """The user's zone; None means the installation's. A name that has left the database of zones counts as none."""
    name = getattr(request.user, "time_zone", "")
    try:
        return zoneinfo.ZoneInfo(name) if name else None
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return None
