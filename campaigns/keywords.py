"""
What an incoming message means: STOP, START, HELP, a word of the installation's own, a doubt, or just a message.

Pure: text in, meaning out. Case, accents, punctuation, spaces, invisible characters and a polite word or two make no
difference, nor do letters of one alphabet in place of their likenesses in the other (СТОП with a Latin O).

What is certain is acted upon; what only looks like an opt-out is for a person to judge, and costs nobody more than a
marketing text that was not sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from .keyword_packs import PACKS
from .models import Meaning

#: A longer message than this is never a keyword with a polite word around it.
_MOST_WORDS = 8
#: Beyond this nobody opts out any more; a longer text is not searched.
_READ_CHARACTERS = 1000
_APOSTROPHES = re.compile(r"['’ʼ`´ʹ]")
_NO_WORD = re.compile(r"[\W_]+")
#: Latin letters that look like Cyrillic ones: in a word that has both, the Cyrillic one is meant.
_LIKENESS = str.maketrans("aceopxykmhtbru", "асеорхукмнтвги")
_CYRILLIC, _LATIN = re.compile("[а-яёіїєґ]"), re.compile("[a-z]")
#: How machines begin or sign what they answer by themselves.
_MACHINE = re.compile(
    r"\b(auto ?reply|automatic (?:reply|response|message)|automated (?:reply|response|message)|out of (?:the )?office|"
    r"please do not reply|please dont reply|noreply|inbox is not monitored|do not disturb while driving|"
    r"автоответ\w*|автоматическ\w* (?:ответ|сообщение)|не отвечаите на это|respuesta automatica|reponse automatique|"
    r"automatische antwort|abwesenheitsnotiz|resposta automatica|otomatik (?:yanit|cevap))\b"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a message was understood as. `word` is what it was recognised by, as `normalised()` writes it; `language` the
    only language that has the word, empty where several have it.
    """

    meaning: Meaning
    word: str = ""
    language: str = ""


_NOTHING = Reading(Meaning.NONE)


def normalised(text: str) -> str:
    """For comparing: small letters without accents, single spaces between the words, nothing else."""
    text = _APOSTROPHES.sub("", text[:_READ_CHARACTERS]).casefold().replace("ı", "i").replace("ß", "ss")
    decomposed = unicodedata.normalize("NFKD", text)
    letters = "".join(c for c in decomposed if unicodedata.category(c) not in {"Mn", "Cf", "Me"})
    words = [_of_one_alphabet(word) for word in _NO_WORD.sub(" ", letters).split()]
    if len(words) > 2 and all(len(word) == 1 for word in words):
        words = ["".join(words)]  # S.T.O.P
    return " ".join(words)


def _of_one_alphabet(word: str) -> str:
    return word.translate(_LIKENESS) if _CYRILLIC.search(word) and _LATIN.search(word) else word


def read(text: str, own: Mapping[str, object] | None = None) -> Reading:
    """
    The meaning of a message. `own` are the installation's words, as `normalised()` writes them.

    A word of one's own never takes the place of STOP: who writes it is not written to again.
    """
    said = normalised(text)
    known = _known()
    if (certain := known.get(said)) is not None and certain.meaning is Meaning.STOP:
        return certain
    if own:
        for candidate in (said, *_beginnings(said)):
            if candidate in own and (candidate == said or candidate not in known):
                return Reading(Meaning.KEYWORD, candidate)
    return certain or _with_filler(said) or _doubtful(said) or _NOTHING


def is_automatic(text: str) -> bool:
    """Whether a machine seems to have written it: then no machine of ours answers."""
    return bool(_MACHINE.search(normalised(text)))


def clashes(word: str) -> Meaning | None:
    """The meaning that this word (normalised) has already, so that it can be none of one's own."""
    found = _known().get(word)
    return found.meaning if found else None


def _beginnings(said: str) -> Iterable[str]:
    """The first word, the first two, ...: "SALE 5" is the keyword SALE."""
    words = said.split()
    for count in range(min(len(words) - 1, 4), 0, -1):
        yield " ".join(words[:count])


def _with_filler(said: str) -> Reading | None:
    """A keyword among polite words, or said over and over."""
    words = said.split()
    if not 1 < len(words) <= _MOST_WORDS:
        return None
    bare = [word for word in words if word not in _filler()]
    for candidate in (" ".join(bare), " ".join(dict.fromkeys(words)), " ".join(dict.fromkeys(bare))):
        if found := _known().get(candidate):
            return found
    readings = {_known()[word].meaning for word in bare if word in _known()}
    if bare and len(readings) == 1 and all(word in _known() for word in bare):
        return _known()[bare[0]]  # "stop unsubscribe", "стоп отписка"
    return None


def _doubtful(said: str) -> Reading | None:
    """Something in it that people say who want no more, or a STOP word first."""
    if found := _doubtful_pattern().search(f" {said} "):
        return Reading(Meaning.DOUBTFUL, found.group(1))
    first = said.split(" ", 1)[0]
    if first in _known() and _known()[first].meaning is Meaning.STOP:
        return Reading(Meaning.DOUBTFUL, first)
    return None


@cache
def _known() -> dict[str, Reading]:
    found: dict[str, Reading] = {}
    for pack in PACKS:
        for meaning, words in ((Meaning.STOP, pack.stop), (Meaning.START, pack.start), (Meaning.HELP, pack.help)):
            for word in words:
                before = found.get(word)
                language = pack.language if before is None else ""
                # Where two languages disagree, the opt-out counts.
                if before is None or before.meaning is meaning or meaning is Meaning.STOP:
                    found[word] = Reading(meaning, word, language)
    return found | {word: Reading(found[word].meaning, word) for word in ("stop", "start", "info") if word in found}


@cache
def _filler() -> frozenset[str]:
    return frozenset(word for pack in PACKS for word in pack.filler)


@cache
def _doubtful_pattern() -> re.Pattern[str]:
    phrases = sorted({phrase for pack in PACKS for phrase in pack.doubtful}, key=len, reverse=True)
    return re.compile(f" ({'|'.join(map(re.escape, phrases))}) ")
