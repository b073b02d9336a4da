"""
How fast what is done to many contacts gets through them: opting out, erasing, consent, a draft campaign for them.

    python benchmarks/bulk_actions.py [--contacts 100000] [--sqlite] [--only opt_out,erase,send_to,consent]

On PostgreSQL (a private server) or SQLite: contacts in a group, each second with a message that waits for them, each
fourth with one that was delivered, its attempt and its receipt. Each operation runs over all contacts, as a worker runs
it, in a process and a database of its own.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from benchmarks import _measuring as measuring

OPERATIONS = {
    "opt_out": {},
    "erase": {"reason": "measured"},
    "send_to": {},
    "consent": {"consent": "given", "kind": "marketing", "source": "measured", "evidence": ""},
}


def prepare(contacts: int) -> None:
    """Fill an empty database by SQL that both understand."""
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    from campaigns.models import Campaign, ContactGroup

    group = ContactGroup.objects.create(name="Everybody")
    waiting = Campaign.objects.create(name="Waiting", body="Hello", kind="marketing", status="paused")
    sent = Campaign.objects.create(name="Sent", body="Hello", kind="service", status="completed")
    is_postgresql = connection.vendor == "postgresql"
    numbers = (
        f"SELECT generate_series(1, {contacts}) AS n"
        if is_postgresql
        else f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {contacts}) SELECT n FROM s"
    )
    now = "now()" if is_postgresql else "strftime('%Y-%m-%d %H:%M:%f', 'now')"
    false = "false" if is_postgresql else "0"
    message = (
        "INSERT INTO campaigns_sentmessage (campaign_id, contact_id, purpose, phone_number, canonical_number, body, "
        "encoding, segment_count, region, time_zone, status, reason, reason_text, excluded, gateway, sender_id, "
        "reference, provider_message_id, currency, attempt_count, retry_count, sent_twice, claim_token, poll_count, "
        "receipt_overdue, lookup_count, created_at) SELECT {campaign}, id, 'campaign', phone_number, phone_number, "
        "'Hello', 'gsm7', 1, 'RU', '', '{status}', '', '', {false}, 'default', '', 'r' || id, '', '', 1, 0, {false}, "
        "'', 0, {false}, 0, {now} FROM campaigns_contact WHERE id % {each} = 0"
    )
    with connection.cursor() as cursor:
        run = cursor.execute
        run(
            "INSERT INTO campaigns_contact (phone_number, first_name, last_name, email, language, region, time_zone, "
            "attributes, consent, consent_source, consent_evidence, created_at, updated_at) "
            f"SELECT '+7' || (9120000000 + n), 'First ' || (n % 1000), 'Name ' || n, '', 'ru', 'RU', 'Europe/Moscow', "
            f"'{{}}', 'unknown', '', '', {now}, {now} FROM ({numbers}) AS numbers"
        )
        run(
            "INSERT INTO campaigns_contact_groups (contact_id, contactgroup_id) "
            f"SELECT id, {group.pk} FROM campaigns_contact"
        )
        run(message.format(campaign=waiting.pk, status="queued", each=2, false=false, now=now))
        run(message.format(campaign=sent.pk, status="delivered", each=4, false=false, now=now))
        run(
            "INSERT INTO campaigns_attempt (message_id, number, reference, claim_token, gateway, account, "
            "provider_message_id, outcome, error_code, error_text, started_at) "
            f"SELECT id, 1, reference, '', 'default', '', '', 'accepted', '', '', {now} FROM campaigns_sentmessage "
            f"WHERE campaign_id = {sent.pk}"
        )
        run(
            "INSERT INTO campaigns_messageevent (message_id, at, kind, payload, fingerprint) "
            f"SELECT id, {now}, 'receipt', '{{}}', 'f' || id FROM campaigns_sentmessage WHERE campaign_id = {sent.pk}"
        )
        run("VACUUM ANALYZE" if is_postgresql else "ANALYZE")


def run_one(operation: str, limit: int) -> None:
    """Over all contacts, or the first `limit` of them."""
    from campaigns import bulk
    from campaigns.models import BulkStatus, Contact, ContactGroup

    group = ContactGroup.objects.get()
    up_to = Contact.objects.order_by("pk").values_list("pk", flat=True)[limit - 1]
    selection = {"filters": {"groups__id__exact": [str(group.pk)]}, "up_to": up_to}
    action = bulk.start(operation, "contact", selection, total=limit, parameters=OPERATIONS[operation])
    began = time.time()
    while bulk.run(action.pk, seconds=8):
        pass
    action.refresh_from_db()
    if (action.status, action.changed_count) != (BulkStatus.DONE, limit):
        raise RuntimeError(f"{action.status}: {action.changed_count} changed. {action.problem}")
    measuring.report(limit, began)


def step(name: str, contacts: int) -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.DEBUG = False
    if name == "prepare":
        began = time.time()
        prepare(contacts)
        measuring.report(contacts, began)
    else:
        run_one(name, contacts)


def measure(url: str, operation: str, contacts: int, first: int) -> None:
    measuring.run_step(__file__, url, "prepare", "--contacts", contacts)
    done = measuring.run_step(__file__, url, operation, "--contacts", first)
    name = f"{operation}, {url.partition(':')[0]}, {first:,} of {contacts:,}"
    print(f"{name:<48}{done.ended - done.began:>9.1f} s{done.rate:>10,.0f} /s{done.peak_mb:>9.0f} MB", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="only these many of the contacts")
    parser.add_argument("--sqlite", action="store_true", help="SQLite, too")
    parser.add_argument("--only", default=",".join(OPERATIONS))
    parser.add_argument("--step")
    options = parser.parse_args()
    if options.step:
        step(options.step, options.contacts)
        return
    wanted = options.only.split(",")
    first = options.first or options.contacts
    with contextlib.suppress(FileNotFoundError), measuring.postgresql_databases() as new_database:
        for operation in wanted:
            measure(new_database(f"bench_{operation}"), operation, options.contacts, first)
    if options.sqlite:
        for operation in wanted:
            with measuring.sqlite_database() as url:
                measure(url, operation, options.contacts, first)


if __name__ == "__main__":
    main()
