"""What a file proves of its people's consent goes into their history, with the chunk that makes them contacts."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from campaigns.models import Consent, ConsentAct, ConsentChange, Contact, ContactImport, ContactImportRow


def note_consents(contact_import: ContactImport, after: int, up_to: int, now: datetime) -> int:
    """
    For the rows with these numbers: whose consent is this import's, and is not in the history yet. How many it were.

    Inside the database, like the contacts. Call it in the transaction that writes them; repeating it adds nothing.
    """
    if not contact_import.consent_source:
        return 0
    change, contact, row = (model._meta.db_table for model in (ConsentChange, Contact, ContactImportRow))
    recorded_at = ConsentChange._meta.get_field("recorded_at").get_db_prep_save(now, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {change} (contact_id, phone_number, canonical_number, act, kind, source, evidence, "  # noqa: S608
            "happened_at, recorded_at, actor_id) "
            "SELECT c.id, c.phone_number, c.phone_number, %s, c.consent_kind, c.consent_source, c.consent_evidence, "
            f"c.consented_at, %s, %s FROM {row} r JOIN {contact} c ON c.phone_number = r.phone_number "
            "WHERE r.contact_import_id = %s AND r.number > %s AND r.number <= %s "
            "AND c.consent = %s AND c.consent_source = %s AND c.consent_evidence = %s AND c.consented_at IS NOT NULL "
            f"AND NOT EXISTS (SELECT 1 FROM {change} h WHERE h.canonical_number = c.phone_number "
            "AND h.act = %s AND h.source = c.consent_source AND h.happened_at = c.consented_at)",
            [
                str(ConsentAct.GIVEN),
                recorded_at,
                contact_import.created_by_id,
                contact_import.pk,
                after,
                up_to,
                str(Consent.GIVEN),
                contact_import.consent_source,
                contact_import.consent_evidence,
                str(ConsentAct.GIVEN),
            ],
        )
        return int(cursor.rowcount)
