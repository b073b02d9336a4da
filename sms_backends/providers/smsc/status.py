"""
What SMSC.ru says of messages, asked by (reference, phone number).

Source: https://smsc.ru/api/http/status_messages/check_status/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sms_backends.exceptions import PermanentRequestError, ProtocolError, SmsError

from .codes import MESSAGE_NOT_FOUND, STATUS_NOT_FOUND, parse_int, parse_request_error
from .sending import PHONE_NUMBER, REFERENCE

#: (reference, phone number): what SMSC.ru knows a message by.
Pair = tuple[str, str]
#: A message's state as SMSC.ru wrote it, None for "no such message", or why it could not be asked.
Said = dict[str, Any] | None | SmsError
#: Asks status.php with these fields. Raises SmsError.
Ask = Callable[[Mapping[str, str]], Any]


def ask(pairs: Sequence[Pair], *, size: int, call: Ask) -> dict[Pair, Said]:
    """
    What SMSC.ru says of each pair, `size` to a question.

    An error of a whole question says nothing about its single messages, and an item counts only for the pair it names:
    what is left over is asked again one by one.
    """
    said: dict[Pair, Said] = {}
    askable = []
    for pair in dict.fromkeys(pairs):
        # A comma in one of them would shift all pairs after it.
        if REFERENCE.fullmatch(pair[0]) and PHONE_NUMBER.fullmatch(pair[1]):
            askable.append(pair)
        else:
            said[pair] = PermanentRequestError("This is no reference and number that SMSC.ru could know.")
    for start in range(0, len(askable), size):
        said |= _ask_together(askable[start : start + size], call)
    return said


def _ask_together(pairs: Sequence[Pair], call: Ask) -> dict[Pair, Said]:
    # The comma at the end asks for an array even for one message.
    form = {
        "phone": "".join(f"{number.lstrip('+')}," for _, number in pairs),
        "id": "".join(f"{reference}," for reference, _ in pairs),
    }
    try:
        said = _read(pairs, call(form))
    except SmsError as error:
        return dict.fromkeys(pairs, error)
    left = [pair for pair in pairs if pair not in said]
    if left and len(pairs) == 1:
        return {pairs[0]: ProtocolError("SMSC.ru did not answer what it was asked.")}
    for index, pair in enumerate(left):
        said |= _ask_together([pair], call)
        answer = said[pair]
        if isinstance(answer, SmsError) and not answer.permanent:  # the next question would fare no better
            said |= dict.fromkeys(left[index:], answer)
            break
    return said


def _read(pairs: Sequence[Pair], answer: Any) -> dict[Pair, Said]:
    """The pairs that an answer settles. Raises SmsError for a refusal that asking one by one would not mend."""
    if isinstance(answer, dict) and ("error" in answer or "error_code" in answer):
        if parse_int(answer.get("error_code")) == MESSAGE_NOT_FOUND:
            return {pairs[0]: None} if len(pairs) == 1 else {}
        error = parse_request_error(answer)
        if error.permanent and len(pairs) > 1:
            return {}
        raise error
    said: dict[Pair, Said] = {}
    by_key = {(reference, number.lstrip("+")): (reference, number) for reference, number in pairs}
    for item in answer if isinstance(answer, list) else [answer]:
        status = parse_int(item.get("status")) if isinstance(item, dict) else None
        if status is None:
            continue
        key = (str(item.get("id", "")), str(item.get("phone", "")).lstrip("+"))
        # Only the answer to a single question may leave the name out.
        pair = pairs[0] if len(pairs) == 1 and key == ("", "") else by_key.get(key)
        if pair is not None:
            said[pair] = None if status == STATUS_NOT_FOUND else item
    return said
