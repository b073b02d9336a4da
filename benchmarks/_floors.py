"""
The least that sending can cost: the same rows and statements by hand, without Django and without the engine.

Nothing here decides anything: no opt-outs among the contacts, no encodings, no errors, no states but the common ones.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg

#: What every row of the frozen campaign has alike, and no default in the database.
SAME_FOR_ALL: dict[str, Any] = {
    "purpose": "campaign",
    "encoding": "GSM-7",
    "segment_count": 1,
    "status": "queued",
    "reason": "",
    "reason_text": "",
    "excluded": False,
    "gateway": "default",
    "sender_id": "",
    "reference": "",
    "provider_message_id": "",
    "currency": "",
    "attempt_count": 0,
    "retry_count": 0,
    "sent_twice": False,
    "claim_token": "",
    "poll_count": 0,
    "receipt_overdue": False,
    "lookup_count": 0,
}
OWN = ("campaign_id", "contact_id", "phone_number", "canonical_number", "body", "region", "time_zone")
COLUMNS = (*OWN, "created_at", "status_at", *SAME_FOR_ALL)

CONTACTS = (
    "SELECT id, phone_number, first_name, last_name, email, language, region, time_zone, consent, attributes "
    "FROM campaigns_contact WHERE id IN (SELECT contact_id FROM campaigns_contact_groups WHERE contactgroup_id = {0} "
    "AND contact_id > {0}) AND id > {0} ORDER BY id LIMIT {0}"
)
CLAIM = (
    "UPDATE campaigns_sentmessage SET status = 'claimed', claim_token = {0}, lease_expires_at = {lease} WHERE id IN ("
    "SELECT id FROM campaigns_sentmessage WHERE campaign_id = {0} AND status = 'queued' "
    "AND (not_before IS NULL OR not_before <= {now}) ORDER BY id LIMIT {0} {skip}) RETURNING id, phone_number, body"
)
INTENT = (
    "UPDATE campaigns_sentmessage AS m SET status = 'sending', reference = {0}, attempt_count = attempt_count + 1, "
    "lease_expires_at = {lease}, not_before = NULL WHERE id {ours} AND status = 'claimed' AND claim_token = {0} "
    "AND lease_expires_at > {now} "
    "AND EXISTS (SELECT 1 FROM campaigns_campaign c WHERE c.id = m.campaign_id AND c.status = 'sending') "
    "AND NOT EXISTS (SELECT 1 FROM campaigns_gatewaystate g WHERE g.alias = m.gateway AND g.paused_at IS NOT NULL) "
    "AND NOT EXISTS (SELECT 1 FROM campaigns_optout o WHERE o.canonical_number = m.canonical_number) "
    "RETURNING id, attempt_count"
)
SENT = "status = 'sent', claim_token = '', lease_expires_at = NULL, sent_at = {now}, status_at = {now}"


class Floor(Protocol):
    """One database driven by hand."""

    def freeze(self, campaign: int, group: int, chunk: int) -> int: ...
    def dispatch(self, campaign: int, size: int) -> int: ...


def floor(url: str) -> Floor:
    return SqliteFloor(url.removeprefix("sqlite:///")) if url.startswith("sqlite") else PostgresFloor(url)


def rendered(campaign: int, contacts: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    now, same = datetime.now(UTC).isoformat(), tuple(SAME_FOR_ALL.values())
    return [
        (campaign, pk, number, number, f"Hello {first_name}, your order is ready. We are open until eight.", region)
        + (time_zone, now, now, *same)
        for pk, number, first_name, _last, _email, _language, region, time_zone, _consent, _attributes in contacts
    ]


class PostgresFloor:
    """psycopg, COPY and unnest."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url)

    def freeze(self, campaign: int, group: int, chunk: int) -> int:
        cursor, written = 0, 0
        names = ", ".join(COLUMNS)
        while contacts := self.connection.execute(CONTACTS.format("%s"), [group, cursor, cursor, chunk]).fetchall():
            with (
                self.connection.cursor() as copying,
                copying.copy(f"COPY campaigns_sentmessage ({names}) FROM STDIN") as copy,
            ):
                for row in rendered(campaign, contacts):
                    copy.write_row(row)
            self.connection.commit()
            cursor, written = contacts[-1][0], written + len(contacts)
        return written

    def dispatch(self, campaign: int, size: int) -> int:
        sent = 0
        words = {"lease": "now() + interval '90 seconds'", "now": "now()", "ours": "= ANY(%s)"}
        claim = CLAIM.format("%s", **words, skip="FOR UPDATE SKIP LOCKED")
        intent = INTENT.format("%s", **words)
        while True:
            token, reference = secrets.token_hex(16), secrets.token_hex(16)
            claimed = self.connection.execute(claim, [token, campaign, size]).fetchall()
            self.connection.commit()
            if not claimed:
                return sent
            rows = self.connection.execute(intent, [reference, [row[0] for row in claimed], token]).fetchall()
            ids = [row[0] for row in rows]
            self.connection.execute(
                "INSERT INTO campaigns_attempt (message_id, number, reference, claim_token, gateway, account, "
                "provider_message_id, outcome, error_code, error_text, started_at) "
                "SELECT v.id, v.number, %s, %s, 'default', 'account', '', '', '', '', now() "
                "FROM unnest(%s::bigint[], %s::int[]) AS v(id, number)",
                [reference, token, ids, [row[1] for row in rows]],
            )
            self.connection.commit()
            answers = [ids, ["" for _row in rows]]
            self.connection.execute(
                "UPDATE campaigns_attempt a SET outcome = 'accepted', provider_message_id = v.provider_id, "
                "finished_at = now() FROM unnest(%s::bigint[], %s::text[]) AS v(id, provider_id) "
                "WHERE a.message_id = v.id AND a.reference = %s",
                [*answers, reference],
            )
            self.connection.execute(
                f"UPDATE campaigns_sentmessage m SET {SENT.format(now='now()')}, provider_message_id = v.provider_id "
                "FROM unnest(%s::bigint[], %s::text[]) AS v(id, provider_id) "
                "WHERE m.id = v.id AND m.status = 'sending' AND m.reference = %s",
                [*answers, reference],
            )
            self.connection.commit()
            sent += len(rows)


class SqliteFloor:
    """The sqlite3 module, with the settings of the product."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, timeout=20)
        self.connection.execute("PRAGMA journal_mode=WAL")
        self.connection.execute("PRAGMA synchronous=FULL")

    def freeze(self, campaign: int, group: int, chunk: int) -> int:
        cursor, written = 0, 0
        insert = f"INSERT INTO campaigns_sentmessage ({', '.join(COLUMNS)}) VALUES ({', '.join('?' for _ in COLUMNS)})"
        while contacts := self.connection.execute(CONTACTS.format("?"), [group, cursor, cursor, chunk]).fetchall():
            for contact in contacts:
                json.loads(contact[-1])
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(insert, rendered(campaign, contacts))
            self.connection.execute("COMMIT")
            cursor, written = contacts[-1][0], written + len(contacts)
        return written

    def dispatch(self, campaign: int, size: int) -> int:
        sent = 0
        now = "strftime('%Y-%m-%d %H:%M:%f', 'now')"
        lease = "strftime('%Y-%m-%d %H:%M:%f', 'now', '+90 seconds')"
        claim = CLAIM.format("?", lease=lease, now=now, skip="")
        while True:
            token, reference = secrets.token_hex(16), secrets.token_hex(16)
            self.connection.execute("BEGIN IMMEDIATE")
            claimed = self.connection.execute(claim, [token, campaign, size]).fetchall()
            self.connection.execute("COMMIT")
            if not claimed:
                return sent
            intent = INTENT.format("?", lease=lease, now=now, ours=f"IN ({', '.join('?' * len(claimed))})")
            self.connection.execute("BEGIN IMMEDIATE")
            rows = self.connection.execute(intent, [reference, *(row[0] for row in claimed), token]).fetchall()
            self.connection.executemany(
                "INSERT INTO campaigns_attempt (message_id, number, reference, claim_token, gateway, account, "
                "provider_message_id, outcome, error_code, error_text, started_at) "
                f"VALUES (?, ?, ?, ?, 'default', 'account', '', '', '', '', {now})",
                [(row[0], row[1], reference, token) for row in rows],
            )
            self.connection.execute("COMMIT")
            self.connection.execute("BEGIN IMMEDIATE")
            self.connection.executemany(
                f"UPDATE campaigns_attempt SET outcome = 'accepted', provider_message_id = ?, finished_at = {now} "
                "WHERE message_id = ? AND reference = ?",
                [("", row[0], reference) for row in rows],
            )
            self.connection.executemany(
                f"UPDATE campaigns_sentmessage SET {SENT.format(now=now)}, provider_message_id = ? "
                "WHERE id = ? AND status = 'sending' AND reference = ?",
                [("", row[0], reference) for row in rows],
            )
            self.connection.execute("COMMIT")
            sent += len(rows)
