"""The navigation of every page: where one is, and what waits there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise

from campaigns.models import Conversation

#: Above this the number of unread conversations is not worth counting.
UNREAD_COUNTED = 99


@dataclass(frozen=True)
class Entry:
    """A page of the navigation. `current` is what `aria-current` says: `page`, `true` for a page below it, or empty."""

    title: str | Promise
    url: str
    current: str = ""


@dataclass(frozen=True)
class Place:
    """A section: its main page, and the others, which are shown while one is in it."""

    key: str
    main: Entry
    entries: tuple[Entry, ...]

    @property
    def is_open(self) -> bool:
        return any(entry.current for entry in (self.main, *self.entries))


class Navigation:
    """What a user may see of it, from the sections that the admin site lists for this request."""

    def __init__(self, request: HttpRequest, sections: Iterable[dict[str, Any]]) -> None:
        self._request = request
        self.places = [place for section in sections if (place := self._place(section))]

    @property
    def start(self) -> Entry:
        from campaigns.admin_site import START

        url = reverse("admin:index")
        return Entry(START, url, "page" if self._request.path == url else "")

    @cached_property
    def unread(self) -> int:
        """Conversations that nobody has read, `UNREAD_COUNTED + 1` for more than that; one short look at an index."""
        if not self._request.user.has_perm("campaigns.view_conversation"):
            return 0
        return Conversation.objects.filter(unread_count__gt=0).order_by()[: UNREAD_COUNTED + 1].count()

    @property
    def shown_unread(self) -> str:
        return f"{UNREAD_COUNTED}+" if self.unread > UNREAD_COUNTED else str(self.unread)

    @property
    def entries(self) -> list[Entry]:
        """All pages, each once."""
        return [self.start, *(entry for place in self.places for entry in (place.main, *place.entries))]

    def _place(self, section: dict[str, Any]) -> Place | None:
        """The section's first model is what its heading leads to, unless the section has another name than that."""
        entries = [self._entry(model) for model in section["models"] if model.get("admin_url")]
        if not entries:
            return None
        first = entries[0]
        if section["models"][0]["object_name"] == section["main"]:
            return Place(section["app_label"], Entry(section["name"], first.url, first.current), tuple(entries[1:]))
        return Place(section["app_label"], Entry(section["name"], first.url), tuple(entries))

    def _entry(self, model: dict[str, Any]) -> Entry:
        path, url = self._request.path, model["admin_url"]
        current = "page" if path == url else "true" if path.startswith(url) else ""
        name = model["name"]
        return Entry(name[:1].upper() + name[1:] if isinstance(name, str) else name, url, current)
