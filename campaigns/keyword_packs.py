"""
The words by which people stop, start and ask for help, in the languages that come with the product.

Written without accents and in small letters, as `keywords.normalised()` writes them. The English STOP words are those
that the FCC names (47 CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe) and what phones and
providers add to them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pack:
    """
    The words of one language.

    `stop`, `start` and `help` count when they are the whole message. `filler` may stand around them ("stop please").
    `doubtful` are words and phrases that make any longer message one to be looked at by a person.
    """

    language: str
    stop: tuple[str, ...]
    start: tuple[str, ...]
    help: tuple[str, ...]
    filler: tuple[str, ...]
    doubtful: tuple[str, ...]


PACKS = (
    Pack(
        "en",
        stop=(
            "stop", "stopall", "stop all", "quit", "end", "cancel", "unsubscribe", "unsub", "revoke", "opt out",
            "optout", "remove", "remove me", "stop texting", "stop texting me", "stop messaging me", "stop sms",
            "unsubscribe me", "opt me out", "cancel all", "stop it", "no more texts", "no more messages",
        ),
        start=("start", "unstop", "subscribe", "opt in", "optin", "resume", "subscribe me", "restart"),
        help=("help", "info", "help me", "information"),
        filler=("please", "pls", "plz", "now", "thanks", "thank", "you", "thx", "hi", "hello", "ok"),
        doubtful=(
            "stop", "unsubscribe", "unsubscribed", "opt out", "opting out", "revoke", "remove me", "remove my",
            "take me off", "do not text", "dont text", "do not message", "dont message", "do not contact",
            "dont contact", "do not send", "dont send", "do not write", "dont write", "no more", "leave me alone",
            "not interested", "never text", "delete my number", "delete me", "wrong number", "spam", "no longer wish",
            "not want", "dont want", "text me again", "lose my number",
        ),
    ),
    Pack(
        "ru",
        stop=(
            "стоп", "отписаться", "отписка", "отпишите", "отпишите меня", "отпишись", "отписать", "отмена", "отменить",
            "отключить", "отключите", "отказ", "отказаться", "хватит", "прекратить", "прекратите", "удалить",
            "удалите", "удалите меня", "стоп смс", "стоп рассылка", "не писать", "не присылать", "cnjg", "ыещз",
        ),
        start=("старт", "начать", "подписаться", "подписка", "подписать", "возобновить", "подпишите", "подпишите меня"),
        help=("помощь", "справка", "инфо", "информация", "помогите"),
        filler=("пожалуиста", "плиз", "спасибо", "срочно", "сеичас", "все", "здравствуите"),
        doubtful=(
            "стоп", "отписаться", "отписка", "отпишите", "отпишись", "отписывать", "отписать", "отказываюсь",
            "хватит", "прекратите", "прекрати", "не пишите", "не пиши", "не присылаите", "не присылать", "не шлите",
            "не отправляите", "не надо", "не нужно", "не беспокоите", "не звоните", "удалите", "уберите", "исключите",
            "достали", "надоели", "больше не", "спам", "ошиблись номером", "не тот номер", "отключите", "рассылки",
            "рассылку", "жалобу", "фас",
        ),
    ),
    Pack(
        "es",
        stop=(
            "alto", "baja", "parar", "pare", "cancelar", "cancela", "detener", "terminar", "fin", "salir", "basta",
            "no mas", "darme de baja", "dar de baja", "dame de baja", "cancelar suscripcion", "eliminar",
        ),
        start=("inicio", "iniciar", "empezar", "comenzar", "alta", "suscribir", "suscribirme", "reanudar"),
        help=("ayuda", "informacion"),
        filler=("por", "favor", "porfavor", "gracias", "ya", "ahora", "hola", "ok"),
        doubtful=(
            "baja", "no mas", "no me envien", "no me envie", "no enviar", "no me escriban", "no me escriba",
            "no quiero", "dejen de", "deje de", "dejar de", "eliminen", "eliminar mi", "borren", "borrar mi",
            "cancelar",
            "desuscribir", "no molestar", "no molesten", "numero equivocado", "basta",
        ),
    ),
    Pack(
        "fr",
        stop=(
            "arret", "arreter", "arretez", "desabonner", "desabonnement", "me desabonner", "desinscription",
            "desinscrire", "me desinscrire", "annuler", "resilier", "stop pub", "stop sms", "supprimer", "fin",
        ),
        start=("debut", "demarrer", "commencer", "reprendre", "abonner", "m abonner", "inscription"),
        help=("aide", "renseignement", "renseignements"),
        filler=("s", "il", "vous", "te", "plait", "svp", "stp", "merci", "maintenant", "bonjour", "ok"),
        doubtful=(
            "desabonner", "desabonnez", "desinscrire", "desinscrivez", "ne plus", "plus de sms", "plus de messages",
            "arretez", "arreter", "ne m envoyez", "n envoyez", "supprimez", "retirez", "ne m ecrivez", "laissez moi",
            "mauvais numero", "resilier", "resiliez",
        ),
    ),
    Pack(
        "de",
        stop=(
            "stopp", "halt", "abmelden", "abmeldung", "abbestellen", "austragen", "kundigen", "kuendigen", "beenden",
            "ende", "aus", "loschen", "loeschen", "abbrechen", "widerruf", "widerrufen",
        ),
        start=("starten", "anmelden", "anmeldung", "eintragen", "fortsetzen", "beginnen"),
        help=("hilfe", "infos", "auskunft"),
        filler=("bitte", "danke", "sofort", "jetzt", "hallo", "ok", "mich", "alles"),
        doubtful=(
            "stopp", "abmelden", "abmeldung", "abbestellen", "austragen", "keine sms", "keine nachrichten",
            "keine werbung", "keine weiteren", "nicht mehr", "nicht schreiben", "widerrufe", "widerruf",
            "widerspreche", "loschen",
            "loeschen", "kundige", "kuendige", "kein interesse", "lasst mich", "lassen sie mich", "falsche nummer",
            "aufhoren", "aufhoeren",
        ),
    ),
    Pack(
        "pt",
        stop=(
            "parar", "pare", "para de enviar", "sair", "cancelar", "cancele", "remover", "remova", "descadastrar",
            "descadastre", "encerrar", "nao quero", "chega", "fim", "excluir", "desinscrever",
        ),
        start=("iniciar", "comecar", "inicio", "voltar", "inscrever", "cadastrar", "retomar"),
        help=("ajuda", "informacao", "informacoes"),
        filler=("por", "favor", "obrigado", "obrigada", "ja", "agora", "ola", "oi", "ok"),
        doubtful=(
            "nao quero", "nao envie", "nao enviem", "nao me envie", "nao me enviem", "nao mande", "nao mandem", "parem",
            "pare de", "parar de", "remover meu", "remova meu", "descadastrar", "cancelar", "nao receber", "chega de",
            "numero errado", "sair da", "me tire", "me tirem",
        ),
    ),
    Pack(
        "tr",
        stop=("dur", "durdur", "iptal", "ret", "cik", "cikis", "abonelikten cik", "istemiyorum", "sil", "kapat"),
        start=("basla", "baslat", "abone", "abone ol"),
        help=("yardim", "bilgi", "destek"),
        filler=("lutfen", "tesekkurler", "tesekkur", "ederim", "hemen", "simdi", "merhaba", "tamam"),
        doubtful=(
            "istemiyorum", "iptal", "gondermeyin", "gonderme", "mesaj atmayin", "mesaj atma", "yazmayin", "rahatsiz",
            "cikar", "cikarin", "listeden", "silin", "durdurun", "artik", "yanlis numara", "aboneligi",
        ),
    ),
)  # fmt: skip

#: What is answered, until somebody writes something else (`AutomaticReply`).
REPLIES: dict[str, dict[str, str]] = {
    "stop": {
        "en": "You will get no more messages from us. Reply START to get them again.",
        "ru": "Вы больше не получите от нас сообщений. Чтобы получать их снова, ответьте СТАРТ.",
        "es": "No recibirá más mensajes nuestros. Para recibirlos de nuevo, responda INICIO.",
        "fr": "Vous ne recevrez plus de messages de notre part. Pour en recevoir à nouveau, répondez DEBUT.",
        "de": "Sie erhalten keine Nachrichten mehr von uns. Antworten Sie START, um wieder welche zu erhalten.",
        "pt": "Você não receberá mais mensagens nossas. Para voltar a receber, responda INICIAR.",
        "tr": "Size artık mesaj göndermeyeceğiz. Yeniden almak için BASLA yazın.",
    },
    "start": {
        "en": "You will get our messages again. Reply STOP to end them.",
        "ru": "Вы снова будете получать наши сообщения. Чтобы отказаться, ответьте СТОП.",
        "es": "Volverá a recibir nuestros mensajes. Para cancelarlos, responda BAJA.",
        "fr": "Vous recevrez à nouveau nos messages. Pour les arrêter, répondez STOP.",
        "de": "Sie erhalten wieder Nachrichten von uns. Antworten Sie STOPP, um sie zu beenden.",
        "pt": "Você voltará a receber nossas mensagens. Para cancelar, responda SAIR.",
        "tr": "Mesajlarımızı yeniden alacaksınız. Durdurmak için RET yazın.",
    },
    "help": {
        "en": "Your message was received and is read by a person. Reply STOP to get no more messages.",
        "ru": "Ваше сообщение получено, его прочтёт сотрудник. Чтобы отказаться от сообщений, ответьте СТОП.",
        "es": "Hemos recibido su mensaje y lo leerá una persona. Para no recibir más, responda BAJA.",
        "fr": "Votre message est bien reçu et sera lu. Pour ne plus recevoir de messages, répondez STOP.",
        "de": "Ihre Nachricht ist angekommen und wird gelesen. Antworten Sie STOPP, um keine mehr zu erhalten.",
        "pt": "Recebemos sua mensagem e uma pessoa vai ler. Para não receber mais, responda SAIR.",
        "tr": "Mesajınız alındı ve okunacak. Mesaj almamak için RET yazın.",
    },
}
