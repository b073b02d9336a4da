"""Groups whose members are whoever meets their conditions."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from .contacts import ContactGroup


class SmartGroupManager(models.Manager["SmartGroup"]):
    def get_queryset(self) -> models.QuerySet[SmartGroup]:
        return super().get_queryset().filter(conditions__isnull=False)


class SmartGroup(ContactGroup):
    """A group with conditions. Campaigns choose it like any other group; nobody is put into it by hand."""

    objects: ClassVar[SmartGroupManager] = SmartGroupManager()

    class Meta:
        proxy = True
        verbose_name = _("smart group")
        verbose_name_plural = _("smart groups")
        ordering = ["name"]

    def get_absolute_url(self) -> str:
        return reverse("admin:campaigns_smartgroup_change", args=[self.pk])
