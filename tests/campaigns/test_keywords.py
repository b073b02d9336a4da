"""What people write and what it means, word by word."""

from __future__ import annotations

import pytest

from campaigns import keywords
from campaigns.keyword_packs import PACKS, REPLIES
from campaigns.keywords import normalised, read
from campaigns.models import Meaning
from sms_backends.segments import segment

#: https://www.law.cornell.edu/cfr/text/47/64.1200 (a)(10)
FCC = ["stop", "quit", "end", "revoke", "opt out", "cancel", "unsubscribe"]

STOP = [
    *FCC, *[word.upper() for word in FCC], *[f"{word}." for word in FCC], *[f"{word} please" for word in FCC],
    "STOPALL", "Stop", "sToP", "STOP!!!", " stop ", "S.T.O.P.", "s t o p", "«Stop»", "stop\u200b", "ＳＴＯＰ",
    "🛑 STOP 🛑",
    "please stop", "Pls stop now", "Stop, thank you", "stop stop stop", "Opt-Out", "OPTOUT", "opt  out",
    "stop texting me",
    "unsubscribe me please", "Stop unsubscribe",
    "СТОП", "стоп", "Стоп.", "стоп пожалуйста", "CTOП", "отписаться", "Отпишите меня, пожалуйста!", "отписка", "ОТМЕНА",
    "Хватит", "не присылать", "cnjg", "ыещз", "Стоп, отписка",
    "Baja", "BAJA por favor", "alto", "cancelar", "No más", "Darme de baja",
    "ARRÊT", "arrêter s'il vous plaît", "désabonner", "STOP SMS", "me désabonner svp",
    "Stopp", "abmelden", "Bitte abmelden", "KÜNDIGEN", "Löschen", "abbestellen bitte",
    "parar", "SAIR", "não quero", "descadastrar por favor",
    "DUR", "iptal", "İPTAL", "RET", "Çıkış", "IPTAL lütfen",
]  # fmt: skip

START = ["START", "unstop", "Start please", "СТАРТ", "подписаться", "Iniciar", "Début", "Anmelden", "Começar", "Başla"]
HELP = ["HELP", "Help!", "info", "ПОМОЩЬ", "Помогите, пожалуйста", "ayuda", "Aide", "Hilfe", "ajuda", "Yardım"]

DOUBTFUL = [
    "please don't text me", "Please don’t text me", "Do not text me again", "take me off your list",
    "Stop by our shop?",
    "stop sending me this rubbish", "I want to unsubscribe from this", "cancel my order", "Quit it", "wrong number",
    "не пишите мне больше", "Прекратите присылать рекламу", "больше не надо этого", "удалите мой номер из базы",
    "no me escriban más", "Quiero darme de baja de esta lista", "ne m'envoyez plus de SMS", "keine Werbung mehr bitte",
    "não me enviem mais mensagens", "Bana mesaj atmayın artık",
]  # fmt: skip

NOTHING = [
    "Hello", "yes", "Ok, thanks", "See you at the end of the day", "Can you deliver on Friday?", "", "   ", "👍", "?",
    "1",
    "Спасибо!", "Да, подтверждаю", "Во сколько вы открываетесь?", "Gracias", "Merci beaucoup", "Danke schön",
    "Obrigado",
    "Teşekkürler", "The bus stops here", "red", "Yes please",
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        *((text, Meaning.STOP) for text in STOP),
        *((text, Meaning.START) for text in START),
        *((text, Meaning.HELP) for text in HELP),
        *((text, Meaning.DOUBTFUL) for text in DOUBTFUL),
        *((text, Meaning.NONE) for text in NOTHING),
    ],
)
def test_a_message_means(text, meaning):
    assert read(text).meaning is meaning


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.language)
def test_every_word_of_a_pack_is_written_as_it_is_compared_and_means_what_its_list_says(pack):
    for words, meaning in ((pack.stop, Meaning.STOP), (pack.start, Meaning.START), (pack.help, Meaning.HELP)):
        for word in words:
            assert normalised(word) == word
            assert read(word).meaning in {meaning, Meaning.STOP}, word
    for word in (*pack.filler, *pack.doubtful):
        assert normalised(word) == word


@pytest.mark.parametrize(
    ("text", "language"), [("стоп", "ru"), ("baja", "es"), ("stop", ""), ("info", ""), ("hilfe", "de"), ("ret", "tr")]
)
def test_the_language_is_known_where_only_one_has_the_word(text, language):
    assert read(text).language == language


def test_a_word_of_ones_own_is_found_alone_and_at_the_beginning_and_never_instead_of_stop():
    own = {"sale": None, "more info": None, "stop": None, "pizza": None}
    assert read("SALE!", own) == keywords.Reading(Meaning.KEYWORD, "sale")
    assert read("Sale 5", own).word == "sale"
    assert read("more info please", own).word == "more info"
    assert read("STOP", own).meaning is Meaning.STOP
    assert read("please, the sale", own).meaning is Meaning.NONE
    assert read("pizza, and please stop texting me", own).meaning is Meaning.KEYWORD


def test_words_that_are_taken_clash():
    assert keywords.clashes("stop") is Meaning.STOP
    assert keywords.clashes("помощь") is Meaning.HELP
    assert keywords.clashes("pizza") is None


@pytest.mark.parametrize(
    "text",
    [
        "This is an automated response. Please do not reply.", "Auto-Reply: I am out of the office until Monday",

        "I'm driving with Do Not Disturb While Driving turned on.", "Это автоматический ответ",
        "Автоответчик: я за рулём", "Respuesta automática",
        "Automatische Antwort", "You will get no more messages: noreply",
    ],
)  # fmt: skip
def test_what_a_machine_wrote_is_known(text):
    assert keywords.is_automatic(text)


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "When do you open?",
        "I'm driving right now, call you later",
        "I am away from my phone until 5",
        "Do you have automatic doors?",
    ],
)
def test_what_a_person_wrote_is_not_taken_for_a_machine(text):
    assert not keywords.is_automatic(text)


def test_a_very_long_message_is_read_quickly_and_is_no_keyword():
    assert read("hello " * 100_000).meaning is Meaning.NONE
    assert read("стоп " + "слово " * 50).meaning is Meaning.DOUBTFUL


@pytest.mark.parametrize("meaning", sorted(REPLIES))
def test_every_pack_has_an_answer_of_at_most_two_segments_that_no_machine_of_ours_would_act_upon(meaning):
    assert set(REPLIES[meaning]) == {pack.language for pack in PACKS}
    for text in REPLIES[meaning].values():
        assert segment(text).segments <= 2
        assert read(text).meaning not in {Meaning.STOP, Meaning.START, Meaning.HELP}
