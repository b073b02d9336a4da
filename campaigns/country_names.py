"""Countries by name, in many languages."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path
from typing import cast

import phonenumbers

#: What phonenumbers has no name for, or none in Russian, or one that is out of use.
ENGLISH = {"AC": "Ascension Island", "TA": "Tristan da Cunha", "XK": "Kosovo"}
RUSSIAN = {
    "AC": "Остров Вознесения",
    "AE": "Объединённые Арабские Эмираты",
    "AG": "Антигуа и Барбуда",
    "AI": "Ангилья",
    "AS": "Американское Самоа",
    "AX": "Аландские острова",
    "BL": "Сен-Бартелеми",
    "BQ": "Бонэйр, Синт-Эстатиус и Саба",
    "CC": "Кокосовые острова",
    "CD": "Демократическая Республика Конго",
    "CG": "Республика Конго",
    "CK": "Острова Кука",
    "CV": "Кабо-Верде",
    "CW": "Кюрасао",
    "CX": "Остров Рождества",
    "FK": "Фолклендские острова",
    "FO": "Фарерские острова",
    "GB": "Великобритания",
    "GD": "Гренада",
    "GG": "Гернси",
    "GI": "Гибралтар",
    "GL": "Гренландия",
    "GU": "Гуам",
    "IM": "Остров Мэн",
    "IO": "Британская территория в Индийском океане",
    "JE": "Джерси",
    "KG": "Кыргызстан",
    "KM": "Коморы",
    "KN": "Сент-Китс и Невис",
    "KY": "Каймановы острова",
    "LC": "Сент-Люсия",
    "ME": "Черногория",
    "MF": "Сен-Мартен",
    "MH": "Маршалловы Острова",
    "MK": "Северная Македония",
    "MO": "Макао",
    "MP": "Северные Марианские острова",
    "MS": "Монтсеррат",
    "MV": "Мальдивы",
    "MW": "Малави",
    "NF": "Остров Норфолк",
    "NR": "Науру",
    "NU": "Ниуэ",
    "PG": "Папуа — Новая Гвинея",
    "PM": "Сен-Пьер и Микелон",
    "PS": "Палестина",
    "PW": "Палау",
    "RE": "Реюньон",
    "RS": "Сербия",
    "SB": "Соломоновы Острова",
    "SH": "Остров Святой Елены",
    "SJ": "Шпицберген и Ян-Майен",
    "SM": "Сан-Марино",
    "SS": "Южный Судан",
    "ST": "Сан-Томе и Принсипи",
    "SX": "Синт-Мартен",
    "SZ": "Эсватини",
    "TA": "Тристан-да-Кунья",
    "TC": "Теркс и Кайкос",
    "TL": "Восточный Тимор",
    "TV": "Тувалу",
    "US": "США",
    "VC": "Сент-Винсент и Гренадины",
    "VI": "Виргинские острова (США)",
    "WF": "Уоллис и Футуна",
    "WS": "Самоа",
    "XK": "Косово",
    "YT": "Майотта",
    "ZA": "ЮАР",
}


def country_name(region: str, language: str) -> str:
    """A country in this language, or in English; its two letters where it has no name. Any language of Django's."""
    language = language[:2]
    if language == "ru" and region in RUSSIAN:
        return RUSSIAN[region]
    names = country_names().get(region, {})
    name = names.get(language) or names.get("en", "")
    if name.startswith("*"):  # `*fr`: as in French
        name = names.get(name[1:], "")
    return name or ENGLISH.get(region, region)


@cache
def country_names() -> dict[str, dict[str, str]]:
    """
    Region -> language -> name, as `phonenumbers.geodata.locale` has it; `*fr` stands for "as in French".

    Only that file is read: importing its package would load the places of all telephone numbers, 97 MB in each process.
    """
    path = Path(phonenumbers.__file__).parent / "geodata" / "locale.py"
    spec = importlib.util.spec_from_file_location("phonenumbers.geodata.locale", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} cannot be read")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast(dict[str, dict[str, str]], module.LOCALE_DATA)
