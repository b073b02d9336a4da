"""`kill -9` of the workers in the middle of what is done to many contacts: each of them once, and the file whole."""

from __future__ import annotations

import csv
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import PATIENCE_SECONDS, wait_for

from .conftest import EVERYBODY_COUNT
from .installation import SendingInstallation
from .rigging import RiggedInstallation

pytestmark = pytest.mark.faults

KILLS = 6
#: As if the two minutes were over after which an action without a sign of life is taken up again.
LET_IT_STALL = "UPDATE campaigns_bulkaction SET created_at = '2020-01-01', heartbeat_at = NULL WHERE status = 'running'"


def start(installation: SendingInstallation, action: str, **fields: str) -> int:
    """Everybody that the list shows, confirmed. The number of the action."""
    installation.operator().post(
        "/admin/campaigns/contact/", action=action, select_across="1", _selected_action="0", confirm="yes", **fields
    )
    return int(installation.storage.value("SELECT max(id) FROM campaigns_bulkaction"))


def start_for_workers(installation: SendingInstallation, operation: str, parameters: str = "{}") -> int:
    """The same without a request, which would do much of it itself."""
    selection = "{'filters': {}, 'up_to': 2**40}"
    installation.manage(
        "shell",
        "--command",
        "from campaigns import bulk; from campaigns.models import User; "
        f"bulk.start({operation!r}, 'contact', {selection}, total={EVERYBODY_COUNT}, parameters={parameters}, "
        "actor=User.objects.get())",
    )
    return int(installation.storage.value("SELECT max(id) FROM campaigns_bulkaction"))


def value(installation: SendingInstallation, action: int, column: str) -> object:
    return installation.storage.value(f"SELECT {column} FROM campaigns_bulkaction WHERE id = {action}")


def is_as_before(installation: SendingInstallation, action: int, done: object) -> bool:
    return (value(installation, action, "status"), value(installation, action, "done_count")) == ("running", done)


def kill_workers_until_done(installation: SendingInstallation, action: int, chance: random.Random) -> int:
    """Workers die again and again, and others follow. How often one died while the action was under way."""
    died = 0
    for _kill in range(KILLS):
        workers = installation.start_workers()
        before = value(installation, action, "done_count")
        installation.storage.execute(LET_IT_STALL)
        installation.sweep()
        give_up_at = time.monotonic() + PATIENCE_SECONDS
        while is_as_before(installation, action, before):
            assert time.monotonic() < give_up_at, "no worker takes it up"
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.03))
        workers.kill()
        died += value(installation, action, "status") == "running"
    installation.start_workers()
    installation.storage.execute(LET_IT_STALL)
    installation.sweep()
    wait_for(lambda: value(installation, action, "status") != "running", "the end of the action", seconds=120)
    return died


def kill_workers_at(installation: SendingInstallation, *points: str) -> None:
    """Workers that die at each of these boundaries, and others that finish."""
    rigged = RiggedInstallation(installation)
    for point in points:
        workers = rigged.start_workers([point])
        installation.storage.execute(LET_IT_STALL)
        installation.sweep()
        rigged.wait_until_struck(point)
        workers.kill()
    installation.start_workers()
    installation.storage.execute(LET_IT_STALL)
    installation.sweep()
    ended = "SELECT count(*) = 0 FROM campaigns_bulkaction WHERE status = 'running'"
    wait_for(lambda: bool(installation.storage.value(ended)), "the end of the action", seconds=120)


@pytest.mark.usefixtures("smsc")
def test_workers_that_are_killed_opt_everybody_out_once(install: Callable[..., SendingInstallation]) -> None:
    installation = install()
    storage = installation.storage
    campaign = waiting_campaign(installation)
    action = start_for_workers(installation, "opt_out")
    kill_workers_at(installation, "within-an-opted-out-set", "between-sets")
    assert value(installation, action, "status") == "done", value(installation, action, "problem")
    assert value(installation, action, "done_count") == EVERYBODY_COUNT
    assert value(installation, action, "changed_count") == EVERYBODY_COUNT
    assert storage.value("SELECT count(*) FROM campaigns_optout") == EVERYBODY_COUNT
    acts = "SELECT count(*), count(DISTINCT subject) FROM campaigns_auditevent WHERE action = 'opt_out'"
    assert storage.rows(f"{acts} AND subject LIKE '+%'") == [(EVERYBODY_COUNT, EVERYBODY_COUNT)]
    history = "SELECT count(*), count(DISTINCT contact_id) FROM campaigns_consentchange WHERE act = 'opted_out'"
    assert storage.rows(history) == [(EVERYBODY_COUNT, EVERYBODY_COUNT)]
    assert installation.counts(campaign) == {"suppressed": EVERYBODY_COUNT}


@pytest.mark.usefixtures("smsc")
def test_workers_that_are_killed_erase_everybody_once(install: Callable[..., SendingInstallation]) -> None:
    installation = install()
    storage = installation.storage
    campaign = waiting_campaign(installation)
    action = start_for_workers(installation, "erase", "{'reason': 'a letter'}")
    kill_workers_at(installation, "within-an-erased-set", "between-sets")
    assert value(installation, action, "status") == "done", value(installation, action, "problem")
    assert value(installation, action, "changed_count") == EVERYBODY_COUNT
    assert storage.value("SELECT count(*) FROM campaigns_contact") == 0
    finished = "SELECT count(*), count(DISTINCT canonical_number) FROM campaigns_erasure WHERE finished_at IS NOT NULL"
    assert storage.rows(f"{finished} AND canonical_number LIKE '#%'") == [(EVERYBODY_COUNT, EVERYBODY_COUNT)]
    assert storage.value("SELECT count(*) FROM campaigns_erasure") == EVERYBODY_COUNT
    for act in ("erasure", "erased"):
        assert storage.value(f"SELECT count(*) FROM campaigns_auditevent WHERE action = '{act}'") == EVERYBODY_COUNT
    assert installation.counts(campaign) == {"cancelled": EVERYBODY_COUNT}
    assert storage.value("SELECT count(*) FROM campaigns_sentmessage WHERE phone_number LIKE '+%' OR body <> ''") == 0


WAITING = (
    "INSERT INTO campaigns_sentmessage (campaign_id, contact_id, purpose, phone_number, canonical_number, body, "
    "encoding, segment_count, region, time_zone, status, reason, reason_text, excluded, gateway, sender_id, reference, "
    "provider_message_id, currency, attempt_count, retry_count, sent_twice, claim_token, poll_count, receipt_overdue, "
    "lookup_count, created_at) SELECT {campaign}, id, 'campaign', phone_number, phone_number, 'Hello', 'gsm7', 1, "
    "'RU', '', 'queued', '', '', false, 'default', '', '', '', '', 0, 0, false, '', 0, false, 0, created_at "
    "FROM campaigns_contact"
)


def waiting_campaign(installation: SendingInstallation) -> int:
    """A paused campaign, with a message that waits for everybody."""
    campaign = installation.create_campaign("Hello", "Everybody")
    installation.storage.execute(f"UPDATE campaigns_campaign SET status = 'paused' WHERE id = {campaign}")
    assert installation.storage.execute(WAITING.format(campaign=campaign)) == EVERYBODY_COUNT
    return campaign


def test_workers_that_are_killed_export_everybody_once(
    install: Callable[..., SendingInstallation], tmp_path: Path, seed: int
) -> None:
    installation = install()
    installation.start_web()
    action = start(installation, "export", format="csv")
    kill_workers_until_done(installation, action, random.Random(seed))
    assert value(installation, action, "status") == "done", value(installation, action, "problem")
    path = tmp_path / "data" / "media" / str(value(installation, action, "file_path"))
    with path.open(encoding="utf-8-sig", newline="") as file:
        numbers = [row["phone_number"] for row in csv.DictReader(file)]
    assert len(numbers) == len(set(numbers)) == EVERYBODY_COUNT
