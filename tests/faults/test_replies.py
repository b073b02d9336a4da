"""People write STOP while the web server and the workers are killed: everybody is opted out, and told so once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.fake_smsc import FakeSmscProcess
from tests.fake_smsc.callbacks import call, incoming_fields
from tests.processes import wait_for

from .installation import CALLBACK_SECRET, SendingInstallation
from .ledger import read_ledger

pytestmark = pytest.mark.faults

PEOPLE = [f"7903{index:07d}" for index in range(40)]


def _have_been(answered: list[str], count: int) -> bool:
    return len(answered) >= count


def test_no_opt_out_is_lost_and_none_is_confirmed_twice_whoever_is_killed(
    install: Callable[..., SendingInstallation], smsc: FakeSmscProcess, ledger: Path
) -> None:
    installation = install(request_size=10)
    url = f"http://127.0.0.1:{installation.web_port}/sms/default/incoming/"
    answered: list[str] = []

    def write(phones: list[str]) -> None:
        """As a provider does: again and again until it is answered 200, and sometimes once more after that."""
        with requests.Session() as session:
            for phone in phones:
                fields = incoming_fields(phone, "Стоп, пожалуйста!", "79990000000", secret=CALLBACK_SECRET)
                while call(session, url, fields) != 200:
                    time.sleep(0.05)
                if int(phone) % 3 == 0:
                    call(session, url, fields)
                answered.append(phone)

    web, workers = installation.start_web(), installation.start_workers()
    threads = [threading.Thread(target=write, args=(PEOPLE[start::4],)) for start in range(4)]
    for thread in threads:
        thread.start()
    for stage in (10, 25):
        wait_for(partial(_have_been, answered, stage), "people who write")
        web.kill()
        workers.kill()
        assert len(answered) < len(PEOPLE), "too late to prove anything"
        web, workers = installation.start_web(), installation.start_workers()
    for thread in threads:
        thread.join()
    workers.kill()  # in the middle of the confirmations, as likely as not
    installation.start_workers()
    installation.start_sweeper()
    query = "SELECT count(*) FROM campaigns_inboundmessage WHERE process_at IS NOT NULL"
    wait_for(lambda: installation.storage.value(query) == 0, "everything to be worked off")

    stopped = installation.storage.rows("SELECT phone_number FROM campaigns_optout ORDER BY phone_number")
    assert [number for (number,) in stopped] == [f"+{phone}" for phone in PEOPLE]
    confirmations = dict(
        installation.storage.rows(
            "SELECT phone_number, count(*) FROM campaigns_sentmessage WHERE purpose = 'confirm' GROUP BY phone_number"
        )
    )
    assert confirmations == {f"+{phone}": 1 for phone in PEOPLE}
    waiting = "SELECT count(*) FROM campaigns_sentmessage WHERE status IN ('queued', 'claimed')"
    wait_for(lambda: installation.storage.value(waiting) == 0, "the confirmations")
    told = Counter(message.phone for message in read_ledger(ledger))
    assert set(told.values()) == {1}
    assert set(told) <= set(PEOPLE)
    unsure = "SELECT phone_number FROM campaigns_sentmessage WHERE status IN ('unknown', 'sending')"
    assert set(PEOPLE) - set(told) <= {number.lstrip("+") for (number,) in installation.storage.rows(unsure)}
