"""
How long it takes to foresee exactly what a campaign would do, beside a plain script that reads the same contacts.

    python benchmarks/preflight.py [--contacts 100000] [--full] [--sqlite] [--runs 3]

On PostgreSQL (BENCH_DATABASE_URL, or a private server where it is installed) or SQLite: contacts in a group, one in a
hundred opted out, with prices. For a text without placeholders, with a name, and with an attribute of the contact:

* the forecast as two workers count it, from pressing the button to the stored figures, and as one worker does;
* the floor: one process that reads what the text needs with the database's own driver, looks the opt-outs up in a set,
  fills in an f-string, counts its segments and adds up by country.

Both must come to the same people and segments. `--full`: a million. README.md says what was measured.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from benchmarks import _contacts as made
from benchmarks import _measuring as measuring

TEXTS = {
    "the same for everybody": "Скидки до 30 числа, заходите! Ответ СТОП - отписаться",
    "with the name": "Здравствуйте, {{ first_name }}! Скидки до 30 числа. Ответ СТОП - отписаться",
    "with the name and an attribute": "Здравствуйте, {{ first_name }}! В городе {{ city }} скидки до 30 числа.",
}
STARTUP_SECONDS = 4.0


def prepare(contacts: int) -> None:
    """Fill an empty database."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from campaigns.models import ContactGroup, GatewayPrice, GatewayState

    group = ContactGroup.objects.create(name="Everybody")
    GatewayState.objects.create(alias="default", price_currency="RUB")
    for prefix, price in (("7", "2.5"), ("79", "2.7"), ("7905", "3.1")):
        GatewayPrice.objects.create(gateway_id="default", prefix=prefix, per_segment=price)
    name = "CASE n % 4 WHEN 0 THEN 'Анна' WHEN 1 THEN 'Maria' WHEN 2 THEN 'Константин' ELSE 'Ия' END || (n % 1000)"
    zone = "CASE n % 3 WHEN 0 THEN 'Asia/Vladivostok' ELSE 'Europe/Moscow' END"
    made.make_contacts(contacts, number=made.SCATTERED, first_name=name, time_zone=zone, consent="given")
    made.put_into(group.pk)
    made.opt_out("id % 100 = 0")
    made.settle()
    print(json.dumps({}))


def ours(text: str, workers: int) -> None:
    """From pressing the button to the stored figures; this process is one of the workers."""
    from campaigns.forecasting import running
    from campaigns.forecasting.foreseen import read
    from campaigns.models import Campaign, ContactGroup

    campaign = Campaign.objects.create(name="Sale", body=text, window_start="09:00", window_end="21:00")
    campaign.refresh_from_db()
    campaign.include_groups.set(ContactGroup.objects.all())
    command = [sys.executable, __file__, "--step", "help", "--argument", str(campaign.pk)]
    helpers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _helper in range(workers - 1)]
    time.sleep(STARTUP_SECONDS if helpers else 0)
    running.AT_ONCE = 0
    began = time.time()
    forecast = running.begin(campaign)
    while forecast.status == "counting":
        running.work(forecast.pk, seconds=8)
        forecast.refresh_from_db()
    ended = time.time()
    found = read(forecast, campaign)
    assert found is not None, forecast.problem
    peaks = [float(helper.communicate()[0].splitlines()[-1]) for helper in helpers]
    asked = []
    for by_person in (False, True):
        start = time.perf_counter()
        assert running.outdated(forecast, campaign, by_person=by_person) == []
        asked.append(1000 * (time.perf_counter() - start))
    counts = (found.audience, found.recipients, found.segments)
    words = f"whether it still holds: {asked[0]:.1f} ms at a look, {asked[1]:.0f} ms at a launch"
    _report(counts, (began, ended), peaks, words)


def help_count(campaign_id: int) -> None:
    """The second worker: waits for the forecast, and counts along."""
    from campaigns.forecasting import running
    from campaigns.models import Forecast

    while not (forecast := Forecast.objects.filter(campaign=campaign_id).first()):
        time.sleep(0.02)
    while running.work(forecast.pk, seconds=8):
        pass
    print(_peak_mb())


def floor(text: str) -> None:
    """What cannot be done without: read, fill in, count."""
    from django.db import connection

    from campaigns.models import GatewayPrice
    from sms_backends.segments import segment

    connection.ensure_connection()
    began = time.time()
    asks_city, asks_name = "city" in text, "first_name" in text
    before, _name, after = text.partition("{{ first_name }}")
    middle, _city, end = after.partition("{{ city }}")
    prices = sorted(GatewayPrice.objects.values_list("prefix", "per_segment"), key=lambda it: -len(it[0]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT canonical_number FROM campaigns_optout")
        opted_out = {number for (number,) in cursor.fetchall()}
    city = "attributes ->> 'city'" if asks_city else "''"
    rows = (
        f"SELECT phone_number, {'first_name' if asks_name else repr('')}, {city}, region, time_zone FROM "
        "campaigns_contact WHERE id IN (SELECT contact_id FROM campaigns_contact_groups) ORDER BY id"
    )
    people = recipients = segments = 0
    countries: Counter[str] = Counter()
    zones: Counter[str] = Counter()
    money: Any = 0
    for number, first_name, town, region, zone in _streamed(connection, rows):
        people += 1
        if number in opted_out:
            continue
        body = f"{before}{first_name}{middle}{town}{end}" if asks_name else text
        size = segment(body).segments
        recipients, segments = recipients + 1, segments + size
        countries[region] += size
        zones[zone] += 1
        money += next(price for prefix, price in prices if number.startswith(prefix, 1)) * size
    _report((people, recipients, segments), (began, time.time()), [], f"{money}")


def _streamed(connection: Any, statement: str) -> Any:
    """Rows as the driver gives them, without all of them in memory."""
    if connection.vendor == "sqlite":
        yield from connection.connection.execute(statement)
        return
    connection.connection.autocommit = False
    with connection.connection.cursor(name="floor") as cursor:
        cursor.itersize = 10_000
        cursor.execute(statement)
        yield from cursor


def _peak_mb() -> float:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _report(counts: tuple[int, int, int], times: tuple[float, float], peaks: list[float], words: str) -> None:
    people, _recipients, _segments = counts
    measured = measuring.Measured(people, *times, max([_peak_mb(), *peaks]))
    print(json.dumps({"measured": measured.__dict__, "came_to": counts, "words": words}))


# --- reporting ------------------------------------------------------------------------------------------------


def run_one(step: str, argument: str) -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.DEBUG = False
    if step == "prepare":
        prepare(int(argument))
    elif step == "floor":
        floor(TEXTS[argument])
    elif step == "help":
        help_count(int(argument))
    else:
        ours(TEXTS[argument], int(step))


def said_by(url: str, step: str, argument: str) -> Any:
    process = measuring.start_step(__file__, url, step, "--argument", argument)
    output, _nothing = process.communicate()
    if process.returncode:
        raise SystemExit(f"The step {step} failed.")
    return json.loads(output.splitlines()[-1])


def compare(url: str, contacts: int, runs: int) -> None:
    said_by(url, "prepare", str(contacts))
    measuring.print_heading(f"{contacts:,} contacts")
    for name in TEXTS:
        found: dict[str, list[Any]] = {step: [] for step in ("floor", "2", "1")}
        for _run in range(runs):
            for step, answers in found.items():
                answers.append(said_by(url, step, name))
        came_to = {tuple(answer["came_to"]) for answers in found.values() for answer in answers}
        assert len(came_to) == 1, f"Not the same figures: {came_to}"
        measured = {
            step: [measuring.Measured(**answer["measured"]) for answer in answers] for step, answers in found.items()
        }
        measuring.print_figure(f"{name}, two workers", measured["2"], measured["floor"])
        measuring.print_figure(f"{name}, one worker", measured["1"], measured["floor"])
        for step, answers in measured.items():
            seconds = ", ".join(f"{one.ended - one.began:.1f}" for one in answers)
            print(f"    {'floor' if step == 'floor' else f'{step} worker(s)'}: {seconds} s", flush=True)
        print(f"    {found['2'][-1]['words']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help="a million contacts")
    parser.add_argument("--sqlite", action="store_true", help="SQLite instead of PostgreSQL")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--argument", default="", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.argument)
        return
    contacts = 1_000_000 if options.full else options.contacts
    database = measuring.sqlite_database() if options.sqlite else measuring.postgresql_database()
    with database as url:
        if url is None:
            raise SystemExit("PostgreSQL is not installed, and BENCH_DATABASE_URL is not set.")
        compare(url, contacts, options.runs)


if __name__ == "__main__":
    main()
