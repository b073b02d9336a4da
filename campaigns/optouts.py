"""Opt-outs: recorded by number, above everything, and in force with the next request."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from sms_backends.phone_numbers import canonical, parse

from . import audit
from .models import CANCELLABLE, MessageStatus, OptOut, OptOutSource, SentMessage, SuppressionReason, User


def record_opt_out(phone_number: str, *, source: OptOutSource, note: str = "", actor: User | None = None) -> OptOut:
    """
    Never write to this number again, in whatever international spelling it is given. What is waiting for it is
    suppressed in the same transaction.

    Recording it twice keeps the first entry. Raises InvalidPhoneNumber: an opt-out that matches nobody protects nobody.
    """
    phone_number = parse(phone_number, None).e164
    with transaction.atomic():
        opt_out, created = OptOut.objects.get_or_create(
            canonical_number=canonical(phone_number),
            defaults={"phone_number": phone_number, "source": source, "note": note, "created_by": actor},
        )
        if created:
            audit.record("opt_out", actor=actor, subject=phone_number, details={"source": str(source), "note": note})
        SentMessage.objects.filter(canonical_number=opt_out.canonical_number, status__in=CANCELLABLE).update(
            status=MessageStatus.SUPPRESSED,
            reason=SuppressionReason.OPTED_OUT,
            reason_text="",
            claim_token="",
            lease_expires_at=None,
            status_at=timezone.now(),
        )
    return opt_out


def lift_opt_out(phone_number: str, *, note: str, actor: User | None) -> bool:
    """Allow writing to this number again, for a stated reason. False when it had not opted out."""
    phone_number = parse(phone_number, None).e164
    with transaction.atomic():
        deleted, _ = OptOut.objects.filter(canonical_number=canonical(phone_number)).delete()
        if deleted:
            audit.record("opt_in", actor=actor, subject=phone_number, details={"note": note})
    return bool(deleted)
