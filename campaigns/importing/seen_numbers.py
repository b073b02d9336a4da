"""Which numbers a file had already, in little memory: nearly all of a file's rows need not be looked up for it."""

from __future__ import annotations

from collections.abc import Iterable

_SLOTS = 1 << 23  # bytes; with a million numbers one in twenty is looked up for nothing


class SeenNumbers:
    """Remembers numbers by two marks each (a Bloom filter): who was not seen is told for certain, who was perhaps."""

    def __init__(self, numbers: Iterable[str] = ()) -> None:
        self._marks = bytearray(_SLOTS)
        self.add(numbers)

    def add(self, numbers: Iterable[str]) -> None:
        """From now on they may have been seen."""
        marks, last = self._marks, _SLOTS - 1
        for number in numbers:
            hashed = hash(number)
            marks[hashed & last] = marks[hashed >> 32 & last] = 1

    def perhaps(self, numbers: Iterable[str]) -> list[str]:
        """Those of the numbers that may have been added; the others certainly have not."""
        marks, last = self._marks, _SLOTS - 1
        return [number for number in numbers if marks[(hashed := hash(number)) & last] and marks[hashed >> 32 & last]]
