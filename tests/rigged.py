"""
`python -m tests.rigged <command>`: `manage.py <command>` with switches at the boundaries of the engine, at which
its process kills or stops itself. Workers are forked from it and inherit the switches.

`RIG` in the environment says which, see `Rig`. The product knows nothing of this; a boundary whose function is not
found ends the process at once.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Boundary:
    """
    A place between two steps: `before` or `after` a function, or `halfway` through the bytes that it is given.

    It counts from the `arrival`-th time on that the process comes there, and only inside of `inside` if that is given.
    A function that came back with nothing (no rows, no intent) has not crossed it.
    """

    function: str
    when: Literal["before", "after", "halfway"] = "after"
    arrival: int = 1
    inside: str = ""


_REQUEST = "campaigns.sending.requesting:request"
#: Its first time writes intents; its second the answer to a request, and perhaps more intents.
_COMMIT = "campaigns.sending.pipeline:Pipeline._commit"

#: In the order in which a message meets them.
BOUNDARIES = {
    "within-a-chunk": Boundary("campaigns.sending.freeze:_write", arrival=2),
    "between-chunks": Boundary("campaigns.sending.freeze:freeze_chunk"),
    "within-the-claim": Boundary("campaigns.sending.claim:affordable"),
    "after-the-claim": Boundary("campaigns.sending.claim:claim_work"),
    "within-the-intent": Boundary("campaigns.sending.handover:_write_attempts"),
    "after-the-intent": Boundary(_COMMIT),
    "before-the-request": Boundary(_REQUEST, "before"),
    "before-the-write": Boundary("sms_backends.http:HttpClient.post_form", "before", inside=_REQUEST),
    "during-the-write": Boundary("sms_backends.http:_DeadlineSocket.sendall", "halfway", arrival=2, inside=_REQUEST),
    "after-the-write": Boundary("sms_backends.http:_ConnectionMixin.getresponse", "before", inside=_REQUEST),
    "after-the-answer": Boundary(_REQUEST),
    "before-the-record": Boundary(_COMMIT, "before", arrival=2),
    "within-the-record": Boundary("campaigns.sending.acceptance:_mark_sent"),
    "after-the-record": Boundary("campaigns.sending.pipeline:Pipeline._match_early_receipts", "before", arrival=2),
}
#: In the order in which a contact file meets them, each in a chunk after the first.
IMPORT_BOUNDARIES = {
    "within-a-checked-chunk": Boundary("campaigns.importing.staging:store", arrival=2),
    "between-checked-chunks": Boundary("campaigns.importing.checking:_Check._store", arrival=2),
    "within-an-imported-chunk": Boundary("campaigns.importing.new_contacts:join_new_contacts", arrival=2),
    "between-imported-chunks": Boundary("campaigns.importing.committing:_commit_chunk"),
    "within-an-undone-chunk": Boundary("campaigns.importing.undoing:_leave_groups", "before", arrival=2),
    "between-undone-chunks": Boundary("campaigns.importing.undoing:_undo_chunk"),
}
#: Of what is done to many contacts, each in a set after the first.
BULK_BOUNDARIES = {
    "within-an-opted-out-set": Boundary("campaigns.optouts:_note_all", arrival=2),
    "within-an-erased-set": Boundary("campaigns.forgetting:forget_messages", "before", arrival=2),
    "between-sets": Boundary("campaigns.bulk.running:_apply", arrival=2),
}
ALL_BOUNDARIES = BOUNDARIES | IMPORT_BOUNDARIES | BULK_BOUNDARIES
#: Only what is bound by a rate is claimed; everything else goes straight from `queued` to `sending`.
CLAIMS = {"within-the-claim", "after-the-claim"}
#: There the process holds locks in the database: all who want the same rows (on SQLite: to write) wait for it.
LOCKED = {"within-a-chunk", "within-the-claim", "within-the-intent", "within-the-record"}

RECEIPT_WAIT = timedelta(hours=1)
_SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


@dataclass(frozen=True)
class Rig:
    """
    `points`: boundary -> "kill" or "stop". Each strikes once, in whichever process comes there first: it leaves a link
    of the boundary's name in `folder` that points to its process id.
    """

    folder: str
    points: dict[str, str] = field(default_factory=dict)

    def to_environment(self) -> dict[str, str]:
        return {"RIG": json.dumps(vars(self))}

    def strike(self, point: str) -> None:
        """Kill or stop this process, all of its threads, unless another was struck here before."""
        with suppress(FileExistsError):
            os.symlink(str(os.getpid()), Path(self.folder, point))
            os.kill(os.getpid(), _SIGNALS[self.points[point]])


def ask_for_no_receipts() -> None:
    """They are not what these tests are about, and asking each second would keep SQLite busy with them."""
    from campaigns.sending import polling

    assert polling.FIRST_POLL < RECEIPT_WAIT
    polling.FIRST_POLL = RECEIPT_WAIT


def set_switches(rig: Rig) -> None:
    importlib.import_module("campaigns.tasks")  # whoever has imported a function by name must be there to be found
    surrounding = {ALL_BOUNDARIES[point].inside for point in rig.points} - {""}
    for function in surrounding:
        _replace(function, _noting_presence(function))
    for point in rig.points:
        boundary = ALL_BOUNDARIES[point]
        _replace(boundary.function, _with_switch(boundary, functools.partial(rig.strike, point)))


_within = threading.local()


def _noting_presence(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            setattr(_within, name, True)
            try:
                return function(*args, **kwargs)
            finally:
                setattr(_within, name, False)

        return run

    return wrap


def _with_switch(boundary: Boundary, strike: Callable[[], None]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    arrivals = 0

    def arrive() -> None:
        nonlocal arrivals
        if boundary.inside and not getattr(_within, boundary.inside, False):
            return
        arrivals += 1
        if arrivals >= boundary.arrival:
            strike()

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def run(*args: Any, **kwargs: Any) -> Any:
            if boundary.when == "before":
                arrive()
            elif boundary.when == "halfway":
                owner, data = args
                function(owner, data[: len(data) // 2])
                arrive()
                return function(owner, data[len(data) // 2 :])
            result = function(*args, **kwargs)
            if boundary.when == "after" and _is_something(result):
                arrive()
            return result

        return run

    return wrap


def _is_something(result: Any) -> bool:
    return result is None or bool(getattr(result, "messages", result))


def _replace(name: str, wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Wherever somebody refers to it. A name that is not there is an AttributeError."""
    module_name, _colon, path = name.partition(":")
    owner: Any = importlib.import_module(module_name)
    *owners, attribute = path.split(".")
    for step in owners:
        owner = getattr(owner, step)
    original = getattr(owner, attribute)
    wrapped = wrap(original)
    setattr(owner, attribute, wrapped)
    if owners:
        return
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith("campaigns.") and getattr(module, attribute, None) is original:
            setattr(module, attribute, wrapped)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    assert "pytest" not in sys.modules, "the settings would be those of tests"
    rig = Rig(**json.loads(os.environ["RIG"]))
    import django
    from django.core.management import execute_from_command_line

    django.setup()
    ask_for_no_receipts()
    set_switches(rig)
    execute_from_command_line(["manage.py", *sys.argv[1:]])


if __name__ == "__main__":
    main()
