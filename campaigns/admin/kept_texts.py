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
            context["kept_as"] = self._kept_as(request, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def _kept_as(self, request: HttpRequest, obj: Any) -> str:
        """Under which name the browser keeps it."""
        return f"{acting_user(request).pk}:{self.opts.model_name}:{obj.pk if obj else 'new'}"

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        request.saved_texts = self._kept_as(request, form.instance if change else None)  # type: ignore[attr-defined]

    def message_user(
        self,
        request: HttpRequest,
        message: Any,
        level: int | str = messages.INFO,
        extra_tags: str = "",
        fail_silently: bool = False,
    ) -> None:
        if kept_as := getattr(request, "saved_texts", ""):
            extra_tags = f"{extra_tags} saved-by-{kept_as}".strip()
        super().message_user(request, message, level, extra_tags, fail_silently)
