"""Pages with texts to write: what was typed survives a lost session, in the browser it was typed in (drafts.js)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse

from .base import BaseAdmin, acting_user


class KeptTextsAdmin(BaseAdmin):
    """The browser forgets its copy when a page says that it was saved."""

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        obj = kwargs.get("obj")
        if self._is_written(request, obj):
            context["kept_as"] = f"{acting_user(request).pk}:{self.opts.model_name}:{obj.pk if obj else 'new'}"
        return super().render_change_form(request, context, *args, **kwargs)

    def save_related(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        super().save_related(request, *args, **kwargs)
        request.texts_were_saved = True  # type: ignore[attr-defined]

    def message_user(
        self,
        request: HttpRequest,
        message: Any,
        level: int | str = messages.INFO,
        extra_tags: str = "",
        fail_silently: bool = False,
    ) -> None:
        if getattr(request, "texts_were_saved", False):
            extra_tags = f"{extra_tags} saved-by-{acting_user(request).pk}".strip()
        super().message_user(request, message, level, extra_tags, fail_silently)
