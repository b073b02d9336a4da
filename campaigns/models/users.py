"""Who works here."""

from __future__ import annotations

import zoneinfo

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


def validate_time_zone(value: str) -> None:
    """Accepts the names of the IANA time zone database, such as Europe/Moscow."""
    if value not in zoneinfo.available_timezones():
        raise ValidationError(_("“%(value)s” is not a time zone. Example: Europe/Moscow."), params={"value": value})


class User(AbstractUser):
    """A member of staff, with the time zone and language the admin is shown in."""

    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        validators=[validate_time_zone],
        help_text=_("Dates are shown in this time zone, for example Europe/Moscow. Empty: the installation's."),
    )
    language = models.CharField(
        _("language"),
        max_length=10,
        blank=True,
        choices=settings.LANGUAGES,
        help_text=_("The language of the admin. Empty: as the browser asks."),
    )

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")
