"""
A contact file as people really send it: what Excel saves as CSV in Russia, with everything that goes wrong in one.

Semicolons, windows-1251, blank lines, duplicates in other spellings, bad numbers of several sorts, columns that nobody
asked for, and cells beyond the last header. The same seed makes the same file, and what is in it is known.

    python -m tests.dirty_file 10000 contacts.csv
"""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HEADER = ["№", "Фамилия", "Имя", "Телефон", "Эл. почта", "Город", "Дата рождения", "Сумма", "Комментарий"]
_FIRST_NAMES = ["Иван", "Пётр", "Мария", "Анна", "Сергей", "Ольга", "Дмитрий", "Екатерина", "Юрий", "Любовь"]
_LAST_NAMES = ["Иваненко", "Петренко", "Шевчук", "Ёлкина", "Кузьмин", "Щукина", "Цой", "Бондарь", "Мороз", "Ким"]
_CITIES = ["Москва", "Санкт-Петербург", "Уфа", "Йошкар-Ола", "Ростов-на-Дону", "Нижний Новгород"]
_COMMENTS = ["", "", "", "звонить после 18:00", "VIP; скидка 10%", 'ООО "Ромашка"', "два\nслова", "№ 5"]
_SPELLINGS: list[Callable[[str], str]] = [
    lambda n: f"+7{n}",
    lambda n: f"8{n}",
    lambda n: f"7{n}",
    lambda n: n,
    lambda n: f"8 ({n[:3]}) {n[3:6]}-{n[6:8]}-{n[8:]}",
    lambda n: f"+7 {n[:3]} {n[3:6]} {n[6:8]} {n[8:]}",
    lambda n: f"8-{n[:3]}-{n[3:6]}-{n[6:]}",
    lambda n: f"тел. +7{n}",
    lambda n: f"\u00a0+7 {n[:3]}\u00a0{n[3:]} ",
]
_BAD_NUMBERS: list[Callable[[str], str]] = [
    lambda n: "",
    lambda n: "нет",
    lambda n: n[:6],
    lambda n: "7,9E+10",
    lambda n: f"+7{n}, +7{n[::-1]}",
    lambda n: f"+7{n} доб. 12",
    lambda n: (n * 4)[:40],
    lambda n: f"+7000{n[3:]}",
    lambda n: "#Н/Д",
]


@dataclass
class DirtyFile:
    """The bytes, and what a right import makes of them in an empty installation."""

    content: bytes
    #: Canonical number -> (row, first name, last name, city) of each contact that comes of it.
    contacts: dict[str, tuple[int, str, str, str]] = field(default_factory=dict)
    duplicates: dict[int, int] = field(default_factory=dict)  # row -> row that counts
    bad_rows: list[int] = field(default_factory=list)
    blank_count: int = 0

    @property
    def row_count(self) -> int:
        """Rows that are not blank."""
        return len(self.contacts) + len(self.duplicates) + len(self.bad_rows)


def make_dirty_file(row_count: int, *, seed: int = 1, duplicates: float = 0.03) -> DirtyFile:
    """
    `row_count` rows that are not blank: about 4 % bad, and as many `duplicates` as asked for; 2 % blank lines on top.
    """
    chance = random.Random(seed)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(HEADER)
    dirty = DirtyFile(b"")
    line = 2
    for count in range(row_count):
        if chance.random() < 0.02:
            text.write(chance.choice(["\r\n", ";" * (len(HEADER) - 1) + "\r\n", "  ; ;\r\n"]))
            dirty.blank_count += 1
            line += 1
        row = _row(chance, dirty, count, line, duplicates)
        writer.writerow(row)
        line += 1 + sum(cell.count("\n") for cell in row)
    dirty.content = text.getvalue().encode("cp1251")
    return dirty


def _row(chance: random.Random, dirty: DirtyFile, count: int, line: int, duplicates: float) -> list[str]:
    """One row, noted in `dirty` as what it is."""
    national = f"9{chance.randrange(10, 20)}{count:07d}"
    first_name, last_name, city = (chance.choice(names) for names in (_FIRST_NAMES, _LAST_NAMES, _CITIES))
    kind = chance.random()
    if kind < 0.04:
        raw = chance.choice(_BAD_NUMBERS)(national)
        dirty.bad_rows.append(line)
    elif kind < 0.04 + duplicates and dirty.contacts:
        recent = list(itertools.islice(reversed(dirty.contacts), 500))
        number = chance.choice(recent[::-1])
        raw = chance.choice(_SPELLINGS)(number.removeprefix("+7"))
        dirty.duplicates[line] = dirty.contacts[number][0]
    else:
        raw = chance.choice(_SPELLINGS)(national)
        dirty.contacts[f"+7{national}"] = (line, first_name, last_name, city)
    email = chance.choice(["", f"user{count}@example.ru", f"user{count}@example.ru", "нет"])
    born = f"{chance.randrange(1, 29):02d}.{chance.randrange(1, 13):02d}.{chance.randrange(1950, 2008)}"
    amount = f"{chance.randrange(10_000)},{chance.randrange(100):02d}"
    row = [str(count + 1), last_name, first_name, raw, email, city, born, amount, chance.choice(_COMMENTS)]
    return [*row, "лишнее"] if chance.random() < 0.01 else row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=int)
    parser.add_argument("path", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--duplicates", type=float, default=0.03)
    arguments = parser.parse_args()
    dirty = make_dirty_file(arguments.rows, seed=arguments.seed, duplicates=arguments.duplicates)
    arguments.path.write_bytes(dirty.content)
    print(
        f"{dirty.row_count} rows: {len(dirty.contacts)} contacts, {len(dirty.duplicates)} duplicates, "
        f"{len(dirty.bad_rows)} bad; {dirty.blank_count} blank lines"
    )


if __name__ == "__main__":
    main()
