"""In which encoding a list of names is written, told by the letters that the names of a language have."""

from __future__ import annotations

from collections.abc import Iterable

#: Encoding -> the letters beyond a to z of the languages that were written in it.
_ALPHABETS: dict[str, tuple[str, ...]] = {
    "cp1252": (
        "äöüß", "àâæçéèêëîïôœùûüÿ", "áéíñóúü", "ãáàâçéêíóôõúü", "àèéìíòóùú", "åäöé", "æøåéäöü",
        "áðéíóúýþæö", "äëïöüéèó",
    ),
    "cp1250": (
        "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž", "čšž", "äöüß",
    ),
    # The same languages. Where it differs, the letters of one language read so are of several: Š and ą, ž and ľ.
    "iso8859-2": (
        "ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž", "čšž", "äöüß",
    ),
    "cp1254": ("çğıöşüi̇âîû",),
    "cp1257": ("āčēģīķļņšūž", "ąčęėįšųūž", "äõöüšž"),
}  # fmt: skip
_ALMOST_ALL = 0.9
#: What Japanese names of people and places are mostly written with, beside kana.
_JAPANESE = frozenset(
    "一二三四五六七八九十千万大小中上下左右前後東西南北内外高低長山川田畑野原村町市区県府都道島崎浜浦沢池海岸岡坂谷森林木"
    "本松竹梅桜杉藤菊花草葉根井水泉石岩土金銀鉄玉宝星月日光明朝夜春夏秋冬雪雨風雲空天地神宮寺社堂門戸橋口関近遠新古安定平"
    "和正義信忠孝仁智勇武文政治良善美優真純清潔愛恵幸福吉喜好楽健康太郎次子女男人夫彦介助也哉雄英秀俊達隆浩博弘宏広洋裕"
    "豊富昭昌晴陽輝翔翼龍虎鈴佐斎斉伊加渡辺部阿久保河今丸江沼波津須那奈香織里佳智裕由紀希望未来咲莉結衣菜々緒穂瑞貴理"
    "恭京阪神横名札幌仙台福広熊鹿児賀滋岐阜愛媛徳茨栃群埼葉梨静兵庫鳥取根佐崎宮分沖縄坪柴榎栗桑桃柳椎榊馬鳥鶴亀熊牛犬"
    "成実徹哲学勝克守進治誠直樹修剛茂薫操節敏繁尾服塚黒白青赤緑紫池飯菅荒堀酒向矢有相早片栄増吾拓悠涼蓮颯湊陸斗真"
)
_LEAST_JAPANESE = 0.5


def likeliest_latin(words: Iterable[bytes]) -> str:
    """
    The encoding in which the words' letters belong to the alphabet of one language; windows-1252 if several do.

    Read in a wrong one, they are of several languages (Dvořák: Dvoøák), or no letters at all (Łukasz: £ukasz).
    """
    counts: dict[int, int] = {}
    for word in words:
        for code in word:
            if code > 127:
                counts[code] = counts.get(code, 0) + 1
    best = max(_ALPHABETS, key=lambda encoding: _fitness(counts, encoding))
    # A list of people from all over Western Europe is in no one alphabet, and must not pass for Lithuanian.
    return best if _fitness(counts, best) >= sum(counts.values()) * _ALMOST_ALL else "cp1252"


def _fitness(counts: dict[int, int], encoding: str) -> int:
    letters = {bytes([code]).decode(encoding, errors="replace").lower(): 0 for code in counts}
    for code, count in counts.items():
        letters[bytes([code]).decode(encoding, errors="replace").lower()] += count
    # The Icelandic letters that Turkish ones turn into (ğ, ı, ş) prove nothing alone.
    icelandic = any(letter in letters for letter in "áæ")
    alphabets = [it for it in _ALPHABETS[encoding] if icelandic or "þ" not in it]
    return max(sum(count for letter, count in letters.items() if letter in alphabet) for alphabet in alphabets)


def is_japanese(texts: Iterable[str]) -> bool:
    """
    Whether these words are Japanese names, rather than letters of another language that were read in a wrong encoding.

    Chinese, Korean and Russian words read as Japanese become rare characters without kana.
    """
    characters = [character for text in texts for character in text if not character.isascii()]
    known = sum(character in _JAPANESE or "\u3040" <= character <= "\u30ff" for character in characters)
    return bool(characters) and known >= len(characters) * _LEAST_JAPANESE
