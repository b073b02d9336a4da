"""The bars of a report as plain SVG: no script is needed, and they print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 600
HEIGHT = 120


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, in the units of its view box; `label` says what it stands for."""

    x: str
    y: str
    width: str
    height: str
    label: str


def bars(values: Sequence[int], labels: Sequence[str], *, gap: float = 0.2) -> list[Bar]:
    """One for each value, the largest as high as the chart. Numbers are written as SVG wants them, not as people do."""
    highest = max([*values, 1])
    step = WIDTH / max(len(values), 1)
    found = []
    for index, (value, label) in enumerate(zip(values, labels, strict=True)):
        height = HEIGHT * value / highest
        found.append(
            Bar(
                x=f"{index * step + step * gap / 2:.2f}",
                y=f"{HEIGHT - height:.2f}",
                width=f"{step * (1 - gap):.2f}",
                height=f"{height:.2f}",
                label=label,
            )
        )
    return found
