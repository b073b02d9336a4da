"""
What it costs to look on while a campaign is being sent.

    python benchmarks/progress.py [--rows 20000] [--full]

On PostgreSQL (BENCH_DATABASE_URL, or a private server where it is installed): the query for a campaign's figures, asked
each tenth of a second while two workers send; at the end it must say what COUNT(*) says. On SQLite: the list of
campaigns, asked of the real web server by somebody who is signed in while a real `qcluster` sends.
`--full`: a million on PostgreSQL and 50,000 on SQLite. README.md says what was measured where.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("SMS_BACKEND", "sms_backends.providers.dummy.SmsBackend")

from benchmarks import _measuring as measuring
from benchmarks.sending import CAMPAIGN

EACH_SECONDS = 0.1
SENDING = str(Path(__file__).with_name("sending.py"))


# --- steps, each in a process of its own ----------------------------------------------------------------------


def work(_rows: int) -> None:
    """What the task of a worker does, again and again until everything is sent."""
    from dataclasses import replace

    from campaigns import kept_figures
    from campaigns.sending.dispatch import send_waiting
    from campaigns.tasks import TASK_SECONDS
    from sms_backends.providers.dummy import SmsBackend

    SmsBackend.capabilities = replace(SmsBackend.capabilities, max_recipients=500)
    while send_waiting(CAMPAIGN, seconds=TASK_SECONDS):
        kept_figures.fold()


def watch(rows: int) -> None:
    """Ask for the figures until all is sent, then compare them with a count."""
    from django.db import connection

    from campaigns import kept_figures
    from campaigns.models import Figure, SentMessage
    from campaigns.reports import many_campaign_figures

    asked: list[tuple[str, Any]] = []

    def note(execute: Any, statement: str, parameters: Any, many: bool, context: Any) -> Any:
        asked.append((statement, parameters))
        return execute(statement, parameters, many, context)

    with connection.execute_wrapper(note):
        many_campaign_figures([CAMPAIGN])
    (statement, parameters), *others = asked
    assert not others, "one query for everything"
    wall, server, read = [], [], 0
    while True:
        began = time.perf_counter()
        figures = many_campaign_figures([CAMPAIGN])[CAMPAIGN]
        wall.append((time.perf_counter() - began) * 1000)
        assert figures.adds_up
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            (plan,) = cursor.fetchone()[0]
        server.append(plan["Planning Time"] + plan["Execution Time"])
        read = max(read, Figure.objects.count())
        if not figures.pending:
            break
        time.sleep(EACH_SECONDS)
    counted = SentMessage.objects.filter(campaign=CAMPAIGN, status="sent").count()
    is_equal = counted == rows == figures.messages["sent"] and not kept_figures.differences()
    print(json.dumps({"wall": wall, "server": server, "read": read, "is_equal": is_equal}))


def sign_in(_rows: int) -> None:
    """Somebody who may see everything; prints the cookie of the session."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from campaigns.models import User

    user = User.objects.create(username="olga", is_staff=True, is_superuser=True)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    print(json.dumps(f"{settings.SESSION_COOKIE_NAME}={session.session_key}"))


def start(_rows: int) -> None:
    from campaigns.wakeups import wake

    wake("send_campaign", CAMPAIGN)


STEPS: dict[str, Callable[[int], None]] = {"work": work, "watch": watch, "sign_in": sign_in, "start": start}


def run_one(step: str, rows: int) -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.DEBUG = False
    STEPS[step](rows)


def said_by(process: subprocess.Popen[str]) -> Any:
    """What a step printed. Raises RuntimeError when it failed."""
    output, _nothing = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{process.args} failed")
    return json.loads(output.splitlines()[-1]) if output else None


def step(url: str, name: str, rows: int) -> subprocess.Popen[str]:
    return measuring.start_step(__file__, url, name, "--rows", rows)


# --- the figures ----------------------------------------------------------------------------------------------


def prepare(url: str, rows: int) -> None:
    for name in ("prepare", "empty", "frozen"):
        measuring.run_step(SENDING, url, name, "--rows", rows)


def measure_query(url: str, rows: int) -> None:
    """PostgreSQL: the one query, while two workers send."""
    prepare(url, rows)
    watcher, began = step(url, "watch", rows), time.time()
    workers = [step(url, "work", rows) for _n in range(2)]
    seen = said_by(watcher)
    for worker in workers:
        said_by(worker)
    print_heading(f"PostgreSQL, {rows:,} messages, two workers")
    print_times("figures of a campaign, in the server", seen["server"])
    print_times("figures of a campaign, as the page waits", seen["wall"])
    print(f"rows of figures at most {seen['read']:,}; sent at {rows / (time.time() - began):,.0f} a second")
    print(f"at the end equal to COUNT(*): {'yes' if seen['is_equal'] else 'NO'}", flush=True)
    if not seen["is_equal"]:
        sys.exit(1)


def measure_list(rows: int) -> None:
    """SQLite: the list of campaigns through gunicorn, while `qcluster` sends."""
    from tests.faults.program import Program
    from tests.processes import free_port

    with tempfile.TemporaryDirectory() as folder:
        database, port = f"{folder}/benchmark.sqlite3", free_port()
        os.environ.update(DJANGO_SECRET_KEY=secrets.token_hex(32), SMS_DATA_DIR=folder, ENV_FILE=os.devnull)
        url = f"sqlite:///{database}"
        prepare(url, rows)
        cookie = said_by(step(url, "sign_in", rows))
        environment = {**os.environ, "DATABASE_URL": url}
        server = ["-m", "gunicorn", "config.wsgi:application", "--bind", f"127.0.0.1:{port}"]
        server += ["--worker-class=gthread", "--workers=2", "--threads=8", "--no-control-socket"]
        log = Path(folder) / "log"
        said_by(step(url, "start", rows))
        programs = [Program(server, environment, log)]
        try:
            page = urllib.request.Request(f"http://127.0.0.1:{port}/admin/campaigns/campaign/")
            page.add_header("Cookie", cookie)
            wait_for_answer(page)
            programs.append(Program(["manage.py", "qcluster"], environment, log))
            times, errors, seconds = ask_while_sending(page, database)
        finally:
            for program in programs:
                program.kill()
        locked = log.read_text().count("database is locked")
    print_heading(f"SQLite, {rows:,} messages, qcluster")
    print_times("list of campaigns, through gunicorn", times)
    print(f"errors {errors}, “database is locked” {locked}; sent at {rows / seconds:,.0f} a second", flush=True)
    if errors or locked:
        sys.exit(1)


def wait_for_answer(page: urllib.request.Request) -> None:
    give_up = time.monotonic() + 60
    while not is_answered(page):
        if time.monotonic() > give_up:
            raise RuntimeError("the web server does not answer")
        time.sleep(EACH_SECONDS)


def is_answered(page: urllib.request.Request) -> bool:
    """Whether it is the list itself that comes, and neither an error nor the page to sign in."""
    try:
        with urllib.request.urlopen(page, timeout=30) as answer:
            return b"result_list" in answer.read()
    except OSError:
        return False


def ask_while_sending(page: urllib.request.Request, database: str) -> tuple[list[float], int, float]:
    """Milliseconds of each request, how many of them failed, and in how many seconds everything was sent."""
    times, errors, began = [], 0, time.time()
    looking = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    while looking.execute("SELECT status FROM campaigns_campaign WHERE id = ?", [CAMPAIGN]).fetchone()[0] == "sending":
        asked = time.perf_counter()
        errors += not is_answered(page)
        times.append((time.perf_counter() - asked) * 1000)
        time.sleep(EACH_SECONDS)
    looking.close()
    return times, errors, time.time() - began


def print_heading(title: str) -> None:
    print(f"\n{title:<44}{'times':>8}{'median':>10}{'p95':>10}{'max':>10}   ms", flush=True)


def print_times(name: str, times: Sequence[float]) -> None:
    p95 = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    print(f"{name:<44}{len(times):>8}{statistics.median(times):>10.2f}{p95:>10.2f}{max(times):>10.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.rows)
        return
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL: skipped, it is not installed here and BENCH_DATABASE_URL names none.")
        else:
            measure_query(url, 1_000_000 if options.full else options.rows)
    measure_list(50_000 if options.full else options.rows)


if __name__ == "__main__":
    main()
