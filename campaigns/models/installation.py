"""Which database this is."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class Suspicion(models.TextChoices):
    """Why this may not be the database that was sent from last."""

    BEHIND = "behind", _("It is older than what this machine remembers of it.")
    MOVED = "moved", _("It stands on another database server, or in another file, than before.")


class Installation(models.Model):
    """
    One row: how the database knows itself, to be compared with what is kept outside of it (`campaigns/identity.py`).

    `pulse` grows with every look; a copy that is put in the database's place has the pulse of its day. `server` is what
    the database's server says of itself. After a release the database has a new `key`, and its pulse begins anew.
    """

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    key = models.CharField(max_length=32)
    pulse = models.PositiveBigIntegerField(default=0)
    server = models.JSONField(default=dict)
    suspected_at = models.DateTimeField(_("suspected"), null=True, blank=True)
    suspicion = models.CharField(_("suspicion"), max_length=10, choices=Suspicion, blank=True)

    class Meta:
        verbose_name = _("installation")
        verbose_name_plural = _("installations")
        default_permissions = ()

    def __str__(self) -> str:
        return self.key
