"""Messages a second that `segment` counts on one core, beside a floor taken in the same run.

The floor is a loop that only asks how many UTF-16 code units each text has. Run: python -m benchmarks.segments
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

from sms_backends.segments import segment

MESSAGES = 20_000
RUNS = 9


def latin_160(number: int) -> str:
    return f"Dear customer, your order {number:06d} is ready and waits for you at the counter. ".ljust(160, ".")


def cyrillic_70(number: int) -> str:
    return f"Заказ {number:06d} готов к выдаче и ждёт вас в пункте до конца недели.".ljust(70, ".")


def accented_160(number: int) -> str:
    return f"Liebe Grüße, Ihre Bestellung {number:06d} für 12 € liegt [hier] bereit. ".ljust(159, ".")


def half_latin_half_cyrillic(number: int) -> str:
    return cyrillic_70(number) if number % 2 else latin_160(number)


def floor(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def median_per_second(function: Callable[[str], object], texts: Sequence[str]) -> float:
    """The median of several runs, in calls a second."""
    rates = []
    for _ in range(RUNS):
        started = time.perf_counter()
        for text in texts:
            function(text)
        rates.append(len(texts) / (time.perf_counter() - started))
    return statistics.median(rates)


def main() -> None:
    print(f"{'texts':<32}{'segment()/s':>14}{'floor/s':>14}{'time: ratio to floor':>22}")
    for name, make in [
        ("half 160 Latin, half 70 Cyrillic", half_latin_half_cyrillic),
        ("160 Latin, basic alphabet", latin_160),
        ("160 with accents, € and []", accented_160),
        ("70 Cyrillic", cyrillic_70),
        ("long: 1,600 Latin", lambda number: latin_160(number) * 10),
    ]:
        texts = [make(number) for number in range(MESSAGES)]
        ours, least = median_per_second(segment, texts), median_per_second(floor, texts)
        print(f"{name:<32}{ours:>14,.0f}{least:>14,.0f}{least / ours:>21.1f}x")


if __name__ == "__main__":
    main()
