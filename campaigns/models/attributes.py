"""Which attributes contacts have beside their own fields, and what kind of value each holds."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


class AttributeKind(models.TextChoices):
    """What an attribute's values are. In JSON: a string, a number, an ISO date as a string, a boolean."""

    TEXT = "text", _("text")
    NUMBER = "number", _("number")
    DATE = "date", _("date")
    YES_NO = "yes_no", _("yes or no")


class Attribute(models.Model):
    """
    An attribute that somebody has defined. One that nobody defined is text.

    `key` is how names are compared: without case, spaces as `_`.
    """

    name = models.CharField(
        _("name"),
        max_length=100,
        help_text=_("As in contact files and texts: {{ name }}. Letters, digits and _; capitals make no difference."),
    )
    key = models.CharField(max_length=100, unique=True, editable=False)
    label = models.CharField(
        _("label"), max_length=150, blank=True, help_text=_("What forms call it. Empty: the name.")
    )
    kind = models.CharField(_("kind"), max_length=10, choices=AttributeKind, default=AttributeKind.TEXT)
    required = models.BooleanField(
        _("required"), default=False, help_text=_("The form of a contact asks for it. Files may lack it.")
    )
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("field of contacts")
        verbose_name_plural = _("fields of contacts")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.label or self.name

    def clean(self) -> None:
        self.name = "_".join(self.name.split())
        self.key = self.name.casefold()
        if Attribute.objects.exclude(pk=self.pk).filter(key=self.key).exists():
            raise ValidationError({"name": _("There is a field with this name already.")})

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.key = self.name.casefold()
        super().save(*args, **kwargs)
