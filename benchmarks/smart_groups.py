"""
How long it takes to ask who meets the conditions of a smart group, and to browse the contacts.

    python benchmarks/smart_groups.py [--contacts 100000] [--full] [--sqlite]

On PostgreSQL (BENCH_DATABASE_URL, or a private server where it is installed) or SQLite: contacts with three attributes,
in two groups, half of them with a message of a campaign. Then, for each kind of condition, the live count as the form
asks for it (five of them, and a count up to 100,000); the chunks of a freeze by a smart group beside those by a static
group of the same people; and pages of the list of contacts. `--full`: a million. README.md says what was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from benchmarks import _contacts as made
from benchmarks import _measuring as measuring

REPEATED = 5
CHUNK = 2000
CHUNKS = 20


def on(subject: str, comparison: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"on": subject, "is": comparison, **({} if value is None else {"value": value}), **more}


def attribute(name: str, comparison: str, value: Any = None, kind: str = "text") -> dict[str, Any]:
    return on("attribute", comparison, value, name=name, kind=kind)


def conditions(group: int, campaign: int) -> dict[str, list[dict[str, Any]]]:
    """What is asked, by name. City 7 has one contact in a hundred, street 123 one in a hundred thousand."""
    return {
        "attribute is (1 in 100)": [attribute("city", "equals", "City 7")],
        "attribute is (1 in 100,000)": [attribute("street", "equals", "Street 123")],
        "attribute contains (nobody)": [attribute("street", "contains", "avenue")],
        "number at least (half)": [attribute("age", "at_least", 50, "number")],
        "number at least (nobody)": [attribute("age", "at_least", 500, "number")],
        "name begins with": [on("last_name", "starts_with", "Name 77")],
        "in a static group (half)": [on("group", "in", group)],
        "in a static group, and attribute": [on("group", "in", group), attribute("city", "equals", "City 7")],
        "was sent the campaign, delivered (1 in 8)": [on("message", "was", campaign=campaign, became="delivered")],
        "was sent nothing in 30 days (half)": [on("message", "was_not", days=30)],
        "nothing in 30 days, city, not in the group": [
            on("message", "was_not", days=30),
            attribute("city", "equals", "City 7"),
            on("group", "not_in", group),
        ],
        "has opted out (1 in 1000)": [on("opted_out", "yes")],
        "has opted out, was sent it (nobody)": [
            on("opted_out", "yes"),
            on("message", "was", campaign=campaign, became="unknown"),
        ],
    }


# --- steps, each in a process of its own ----------------------------------------------------------------------


def prepare(contacts: int) -> None:
    """Fill an empty database."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    from campaigns.models import Campaign, ContactGroup

    half = ContactGroup.objects.create(name="Half")
    rare = ContactGroup.objects.create(name="City 7")
    campaign = Campaign.objects.create(name="Sale", body="Hello", launch={"gateway": "default"})
    made.make_contacts(contacts)
    made.put_into(half.pk, "id % 2 = 0")
    made.put_into(rare.pk, "id % 100 = 7")
    made.opt_out("id % 1000 = 0")
    fill_log(campaign.pk)
    made.settle()
    print(json.dumps({"half": half.pk, "rare": rare.pk, "campaign": campaign.pk}))


def fill_log(campaign: int) -> None:
    """A message to every second contact, delivered to every fourth of them, by way of the product's own bulk insert."""
    from django.db import transaction
    from django.utils import timezone

    from campaigns.models import Contact, SentMessage
    from campaigns.sending.bulk_insert import bulk_insert

    everybody = Contact.objects.order_by("pk").values_list("pk", flat=True).iterator(chunk_size=10_000)
    ids = (pk for pk in everybody if pk % 2)
    while chunk := list(itertools.islice(ids, 20_000)):
        rows = [(pk, f"+7{pk}", f"+7{pk}", "delivered" if pk % 8 == 1 else "sent") for pk in chunk]
        with transaction.atomic():
            bulk_insert(
                SentMessage,
                ("contact", "phone_number", "canonical_number", "status"),
                rows,
                campaign_id=campaign,
                body="Hello",
                gateway="default",
                sent_at=timezone.now(),
                status_at=timezone.now(),
            )


def ask(ids: dict[str, int]) -> None:
    """The live counts."""
    from campaigns.smart_groups import count

    found = {}
    for name, parts in conditions(ids["half"], ids["campaign"]).items():
        stored = {"version": 1, "match": {"combine": "all", "parts": parts}}
        counted = None

        def once(stored: Any = stored) -> None:
            nonlocal counted
            counted = count(stored)

        times = repeated(once)
        number = "gave up" if counted.number is None else f"{'> ' if counted.is_more else ''}{counted.number:,}"
        found[name] = [times, number]
    print(json.dumps(found))


def freeze(ids: dict[str, int]) -> None:
    """Chunks of the audience by a smart group, and by the static group of the same people."""
    from campaigns.audience import audience, plan
    from campaigns.composing import Template
    from campaigns.models import SmartGroup

    parts = [attribute("city", "equals", "City 7"), on("message", "was_not", days=30)]
    smart = SmartGroup.objects.create(
        name="Smart", conditions={"version": 1, "match": {"combine": "any", "parts": parts}}
    )

    def chunks(group: int) -> Callable[[], int]:
        def read() -> int:
            last = people = 0
            for _n in range(CHUNKS):
                planned = plan(audience([group], after=last), Template("Hello"), kind="service", limit=CHUNK)
                if not planned:
                    break
                last = planned[-1].contact_id
                people += len(planned)
            return people

        return read

    found = {}
    for name, group in (("static", ids["half"]), ("smart", smart.pk)):
        read = chunks(group)
        people = read()
        found[name] = [repeated(read), people]
    smart.delete()
    print(json.dumps(found))


def browse(_ids: dict[str, int]) -> None:
    """Pages of the list of contacts, through Django's test client."""
    from django.conf import settings
    from django.test import Client

    from campaigns.models import Contact, User

    settings.ALLOWED_HOSTS.append("testserver")
    user, _created = User.objects.get_or_create(username="olga", is_staff=True, is_superuser=True)
    client = Client()
    client.force_login(user)
    newest = Contact.objects.order_by("-pk").values_list("pk", flat=True)[0]
    pages = {
        "first page": {},
        "page in the middle": {"before": newest // 2},
        "number in any spelling": {"q": "8 900 000 77 77"},
        "first digits": {"q": "+790000077"},
        "name": {"q": "name 77777"},
        "name of nobody": {"q": "zzz"},
        "group": {"groups__id__exact": _ids["half"]},
    }
    found = {}
    for name, parameters in pages.items():

        def once(parameters: Any = parameters) -> None:
            assert client.get("/admin/campaigns/contact/", parameters).status_code == 200

        once()
        found[name] = [repeated(once), ""]
    print(json.dumps(found))


def repeated(once: Callable[[], Any]) -> list[float]:
    times = []
    for _n in range(REPEATED):
        began = time.perf_counter()
        once()
        times.append((time.perf_counter() - began) * 1000)
    return times


# --- reporting ------------------------------------------------------------------------------------------------


def run_one(step: str, argument: str) -> None:
    import django
    from django.conf import settings

    django.setup()
    settings.DEBUG = False
    if step == "prepare":
        prepare(int(argument))
    else:
        {"ask": ask, "freeze": freeze, "browse": browse}[step](json.loads(argument))


def said_by(url: str, step: str, argument: str) -> Any:
    process = measuring.start_step(__file__, url, step, "--argument", argument)
    output, _nothing = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{step} failed")
    return json.loads(output.splitlines()[-1])


def measure(url: str, contacts: int) -> None:
    ids = json.dumps(said_by(url, "prepare", str(contacts)))
    print(f"\n{url.partition(':')[0]}, {contacts:,} contacts, {contacts // 2:,} messages")
    for step, title in (("ask", "live count"), ("freeze", f"{CHUNKS} chunks of an audience"), ("browse", "a page")):
        print(f"{title:<52}{'median':>10}{'worst':>10}", flush=True)
        for name, (times, number) in said_by(url, step, ids).items():
            print(f"  {name:<50}{statistics.median(times):>7.0f} ms{max(times):>7.0f} ms   {number}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--full", action="store_true", help="a million contacts")
    parser.add_argument("--sqlite", action="store_true", help="SQLite, too")
    parser.add_argument("--step")
    parser.add_argument("--argument", default="")
    options = parser.parse_args()
    if options.step:
        run_one(options.step, options.argument)
        return
    contacts = 1_000_000 if options.full else options.contacts
    with measuring.postgresql_database() as url:
        if url is None:
            print("PostgreSQL is not installed.")
        else:
            measure(url, contacts)
    if options.sqlite:
        with measuring.sqlite_database() as url:
            measure(url, contacts)


if __name__ == "__main__":
    main()
