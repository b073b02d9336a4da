"""Texts that are used again and again, in one language or several."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _


class MessageTemplate(models.Model):
    """
    A saved text. `body` is what everybody gets who speaks none of the languages of its `texts`.

    A campaign that uses it copies the texts: changing a template changes nothing that is written or sent already.
    """

    name = models.CharField(_("name"), max_length=150, unique=True)
    body = models.TextField(
        _("text"),
        help_text=_("For everybody whose language is not among those below. Placeholders are as in campaigns."),
    )
    is_archived = models.BooleanField(
        _("archived"), default=False, help_text=_("Is not offered to campaigns any more, but kept.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        verbose_name=_("written by"),
    )

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_messagetemplate_change", args=[self.pk])

    def texts_by_language(self) -> dict[str, str]:
        """What a campaign copies besides `body`."""
        return dict(self.texts.values_list("language", "body"))


class TemplateText(models.Model):
    """A template in one more language."""

    template = models.ForeignKey(MessageTemplate, models.CASCADE, related_name="texts", verbose_name=_("template"))
    language = models.CharField(
        _("language"), max_length=10, help_text=_("As the contacts have it, for example ru, en or pt-BR.")
    )
    body = models.TextField(_("text"))

    class Meta:
        verbose_name = _("text in another language")
        verbose_name_plural = _("texts in other languages")
        ordering = ["language"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["template", "language"],
                name="one_text_per_language",
                violation_error_message=_("There are two texts in this language. Keep one of them."),
            )
        ]

    def __str__(self) -> str:
        return self.language
