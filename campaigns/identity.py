"""
Notices when the database is not the one that was sent from last: restored from a backup, copied, or promoted.

In such a database messages that went out since may still be waiting, and would be sent a second time. So every gateway
starts paused, and nothing is sent until an operator releases it. Two things give a copy away:

- Every start of a worker and every sweep raises the database's pulse, and then writes it down outside of the
  database, in `settings.IDENTITY_FILE`. A database with a lower pulse than is written there is an older state of it.
- What the server says of itself: PostgreSQL's system identifier, timeline and database; the inode of SQLite's file.
  This tells a copy from its original where nothing is written down yet, as on another machine.

Nothing is suspected of a new database, nor for want of the file. What cannot be noticed: a backup that was taken since
the last look, and a whole machine set back, file and database alike.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from sms_backends import gateways

from . import audit
from .gateway_control import pause_gateway, resume_gateway
from .models import GatewayState, Installation, Suspicion, User

logger = logging.getLogger(__name__)

#: The reason of gateways that are paused for this.
PAUSE_REASON = "restored"
#: As many databases are remembered: a machine may serve several, one after the other.
REMEMBERED = 50

_SERVER = {
    "system": "SELECT system_identifier::text FROM pg_control_system()",
    # Not from pg_control_checkpoint(), which knows of a promotion only after the next checkpoint.
    "timeline": "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)",
    "database": "SELECT oid::text FROM pg_database WHERE datname = current_database()",
}


def warning() -> str:
    """What operators are told while the database is under suspicion."""
    return _(
        "This database is a copy or was restored from a backup. Messages sent since then may still be waiting here "
        "and would be sent a second time. Nothing is sent until somebody releases it."
    )


def check_identity() -> bool:
    """
    Look whether this is still the same database; pause all gateways if it is not. False: nothing may be sent.

    Called before workers start and by every sweep.
    """
    with transaction.atomic():
        Installation.objects.get_or_create(pk=1, defaults={"key": _new_key(), "server": _server()})
        installation = Installation.objects.select_for_update().get(pk=1)
        suspicion = _suspicion(installation)
        if installation.suspected_at is None and suspicion is not None:
            installation.suspected_at, installation.suspicion = timezone.now(), suspicion
            installation.save(update_fields=["suspected_at", "suspicion"])
            audit.record("copy_suspected", details={"why": str(suspicion), "server": _server()})
            logger.critical("%s %s", suspicion.label, warning())
        if installation.suspected_at is not None:
            _pause_all()
            return False
        installation.pulse += 1
        installation.save(update_fields=["pulse"])
    _write_down(installation)
    return True


def may_send() -> bool:
    """Whether nothing is suspected; one query, for those who are about to send."""
    written = _written()  # before the database is read: what is written is never ahead of what is committed
    installation = Installation.objects.filter(pk=1).first()
    if installation is None:
        return True
    if installation.suspected_at is None and written.get(installation.key, 0) <= installation.pulse:
        return True
    return check_identity()


def suspected() -> Installation | None:
    """The installation while it is under suspicion."""
    return Installation.objects.filter(suspected_at__isnull=False).first()


def release(*, actor: User | None) -> bool:
    """
    An operator has seen to it: this database is the one to send from now. False when nothing was suspected.

    Gateways that were paused for another reason stay paused.
    """
    with transaction.atomic():
        installation = Installation.objects.select_for_update().filter(suspected_at__isnull=False).first()
        if installation is None:
            return False
        audit.record("copy_released", actor=actor, details={"why": installation.suspicion})
        # With a new key, what any machine has written down about the old one concerns it no more.
        installation.key, installation.pulse, installation.server = _new_key(), 1, _server()
        installation.suspected_at, installation.suspicion = None, ""
        installation.save()
        for alias in GatewayState.objects.filter(pause_reason=PAUSE_REASON).values_list("alias", flat=True):
            resume_gateway(alias, actor=actor)
    _write_down(installation)
    return True


def _new_key() -> str:
    return secrets.token_hex(16)


def _suspicion(installation: Installation) -> Suspicion | None:
    """The row is locked: nobody can raise the pulse, and so write down a higher one, before this is decided."""
    if _written().get(installation.key, 0) > installation.pulse:
        return Suspicion.BEHIND
    now = _server()
    # What could not be asked then or cannot be asked now says nothing.
    if any(installation.server[name] != now[name] for name in installation.server.keys() & now.keys()):
        return Suspicion.MOVED
    return None


def _pause_all() -> None:
    aliases = set(GatewayState.objects.values_list("alias", flat=True))
    with suppress(ImproperlyConfigured):
        aliases |= set(gateways)
    for alias in sorted(aliases):
        pause_gateway(alias, reason=PAUSE_REASON, text=warning())


def _server() -> dict[str, str]:
    """What tells this database from its copies; without what may not be asked here."""
    if connection.vendor != "postgresql":
        with suppress(OSError):
            return {"inode": str(Path(settings.DATABASES["default"]["NAME"]).stat().st_ino)}
        return {}  # in memory
    said: dict[str, str] = {}
    for name, question in _SERVER.items():
        with suppress(Error), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(question)
            said[name] = cursor.fetchone()[0]
    return said


def _written() -> dict[str, int]:
    """The highest pulse of each database that this machine remembers."""
    try:
        found: Any = json.loads(settings.IDENTITY_FILE.read_text())
        return {str(key): int(pulse) for key, pulse in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError):
        logger.warning("%s cannot be read; a restored backup would not be noticed.", settings.IDENTITY_FILE)
        return {}


def _write_down(installation: Installation) -> None:
    """After the pulse is committed. A disk that is full must not keep messages from being sent."""
    pulses = _written()
    pulse = max(installation.pulse, pulses.pop(installation.key, 0))
    kept = dict([*pulses.items(), (installation.key, pulse)][-REMEMBERED:])
    path: Path = settings.IDENTITY_FILE
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with draft.open("w") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        logger.warning("%s cannot be written; a restored backup would not be noticed.", path, exc_info=True)
