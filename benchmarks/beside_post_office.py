"""
A campaign through the `dummy` adapter, 500 a request, beside django-post_office sending as many queued e-mails.

    python benchmarks/beside_post_office.py [--rows 10000] [--runs 3]

Both in one PostgreSQL database, in turn. django-post_office sends through Django's
dummy backend with its own defaults but for the size of a batch, which is 500 too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import _measuring as measuring

SENDING = str(Path(__file__).resolve().parent / "sending.py")
SIZE = 500


def configure() -> None:
    """A project that has nothing but django-post_office."""
    import logging

    import django
    import environ
    from django.conf import settings

    settings.configure(
        INSTALLED_APPS=["django.contrib.contenttypes", "post_office"],
        DATABASES={"default": {**environ.Env.db_url_config(os.environ["DATABASE_URL"]), "CONN_MAX_AGE": 600}},
        POST_OFFICE={"BACKENDS": {"default": "django.core.mail.backends.dummy.EmailBackend"}, "BATCH_SIZE": SIZE},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        USE_TZ=True,
    )
    django.setup()
    logging.disable()


def queue(rows: int) -> int:
    from django.core.management import call_command
    from post_office.models import PRIORITY, STATUS, Email, Log

    call_command("migrate", verbosity=0)
    Log.objects.all().delete()
    Email.objects.all().delete()
    Email.objects.bulk_create(
        [
            Email(
                from_email="shop@example.org",
                to=[f"name{n}@example.org"],
                subject="Your order",
                message=f"Hello Name {n}, your order is ready. We are open until eight.",
                priority=PRIORITY.medium,
                status=STATUS.queued,
            )
            for n in range(rows)
        ],
        batch_size=1000,
    )
    return rows


def send(_rows: int) -> int:
    from post_office.mail import send_queued
    from post_office.models import STATUS, Email

    while sum(send_queued(log_level=2)):
        pass
    return Email.objects.filter(status=STATUS.sent).count()


STEPS = {"queue": queue, "send": send}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        configure()
        began = time.time()
        measuring.report(STEPS[options.step](options.rows), began)
        return
    os.environ["SMS_BACKEND"] = "sms_backends.providers.dummy.SmsBackend"
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
        else:
            compare(url, options.rows, options.runs)


def compare(url: str, rows: int, runs: int) -> None:
    def ours(step: str) -> measuring.Measured:
        return measuring.run_step(SENDING, url, step, "--rows", rows, "--size", SIZE)

    measuring.print_heading(f"PostgreSQL, {rows:,} messages, {runs} runs")
    ours("prepare")
    our_runs, their_runs = [], []
    for _run in range(runs):
        measuring.run_step(__file__, url, "queue", "--rows", rows)
        their_runs.append(measuring.run_step(__file__, url, "send", "--rows", rows))
        ours("empty")
        ours("frozen")
        our_runs.append(ours("dispatch"))
    if {one.rows for one in (*our_runs, *their_runs)} != {rows}:
        raise RuntimeError("not all were sent")
    measuring.print_figure("beside django-post_office", our_runs, their_runs)


if __name__ == "__main__":
    main()
