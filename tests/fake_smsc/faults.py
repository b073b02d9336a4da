"""What can be made to go wrong at the fake SMSC.ru, and in which of its requests."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Kinds, and how many `seconds` they take unless told otherwise.
KINDS = {"error": 0, "http": 0, "close": 0, "hang": 60, "drip": 0.05, "cut": 0, "garbage": 0, "slow": 1, "late": 2}


@dataclass(slots=True)
class Fault:
    """
    One thing going wrong.

    `kind`: error (an error `code` in the dialect), http (`status`, with `headers` and `body`), close (the connection,
    without an answer), hang (no answer for `seconds`), drip (the answer, a byte every `seconds`), cut (half of the
    answer, then close), garbage (200 that is no JSON), slow (the right answer after `seconds`), late (close at once,
    and carry it out after `seconds` all the same).
    `after` requests for `script` go well first, then it hits `times` of them (None: all that follow).
    `accept`: the request is carried out all the same before the answer goes wrong.
    """

    kind: str
    script: str = "send.php"
    after: int = 0
    times: int | None = None
    accept: bool = False
    code: int = 1
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "<html>error</html>"
    seconds: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"No such fault: {self.kind!r}. There are {', '.join(KINDS)}.")
        if self.seconds is None:
            self.seconds = KINDS[self.kind]

    @property
    def carries_out(self) -> bool:
        return self.accept or self.kind == "slow"


class Mix:
    """
    Faults that hit requests by chance: `shares` are pairs of a probability and the options of a `Fault`, of which
    `after` and `times` do not count. The same `seed` hits the same requests, counted from the first.
    """

    def __init__(self, seed: int, shares: Sequence[tuple[float, Mapping[str, Any]]]) -> None:
        self._random = random.Random(seed)
        self._shares = [(share, Fault(**options)) for share, options in shares]

    def draw(self) -> Fault | None:
        """What hits the next request."""
        roll = self._random.random()
        for share, fault in self._shares:
            if roll < share:
                return fault
            roll -= share
        return None


class FaultPlan:
    """The faults still to come, in the order they were added; where there are none, those of the mix."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._mixes: dict[str, Mix] = {}

    def add(self, fault: Fault) -> None:
        with self._lock:
            self._faults.append(fault)

    def set_mix(self, script: str, mix: Mix) -> None:
        with self._lock:
            self._mixes[script] = mix

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()
            self._mixes.clear()

    def pick(self, script: str) -> Fault | None:
        """The fault that hits this request. Counts the request for all faults that wait for their turn."""
        with self._lock:
            hit = None
            for fault in self._faults:
                if fault.script != script:
                    continue
                if fault.after > 0:
                    fault.after -= 1
                elif hit is None and fault.times != 0:
                    hit = fault
                    if fault.times is not None:
                        fault.times -= 1
            if hit is None and script in self._mixes:
                hit = self._mixes[script].draw()
            return hit
