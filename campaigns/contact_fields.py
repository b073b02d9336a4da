"""What contact files and operators call a contact's own fields, in English and Russian, the best name first."""

from __future__ import annotations

import re

#: Field -> the names that mean it, as `normalised_header()` writes them.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "phone_number": (
        "mobile", "mobile phone", "mobile number", "mobile phone number", "mobile no", "cell", "cell phone",
        "cellphone", "cell number", "cellular", "msisdn", "мобильный", "мобильный телефон", "моб телефон",
        "моб тел", "моб", "мобильный номер", "номер мобильного", "номер мобильного телефона", "сотовый",
        "сотовый телефон", "phone", "phone no", "phonenumber", "phones", "tel", "tel no", "tel number", "telephone",
        "telephone number", "sms", "sms number", "телефон", "телефоны", "номер телефона", "номера телефонов",
        "контактный телефон", "тел", "номер тел", "тел номер", "телефон клиента",
    ),
    "first_name": ("firstname", "given name", "forename", "name", "имя", "имя клиента"),
    "last_name": ("lastname", "surname", "family name", "фамилия", "фамилия клиента"),
    "email": (
        "e mail", "mail", "email address", "e mail address", "почта", "эл почта", "электронная почта",
        "адрес электронной почты", "емейл", "имейл",
    ),
    "language": ("lang", "locale", "язык"),
    "time_zone": ("timezone", "tz", "часовой пояс"),
}  # fmt: skip


def normalised_header(header: str) -> str:
    """For comparing: small letters, without punctuation, ё as е."""
    return " ".join(re.sub(r"[\W_]+", " ", header.casefold().replace("ё", "е")).split())


_FIELDS = {synonym: field for field, synonyms in SYNONYMS.items() for synonym in synonyms}


def field_called(name: str) -> str | None:
    """The contact's own field that people mean by this name; None when it is none of these."""
    return _FIELDS.get(normalised_header(name))
