"""Somebody who works in the admin with a browser, without the browser: signs in, reads pages, presses buttons."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import requests

from tests.processes import wait_for

_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?')


class Operator:
    """
    Signed in from the beginning. Each has a session of its own; not to be used by several threads at once.

    A server that is not there raises `requests.ConnectionError`; any answer but a page fails the test.
    """

    def __init__(self, address: str, administrator: Mapping[str, str]) -> None:
        self._address = address
        self._session = requests.Session()
        self._session.trust_env = False
        self.press(
            "/admin/login/",
            username=administrator["DJANGO_SUPERUSER_USERNAME"],
            password=administrator["DJANGO_SUPERUSER_PASSWORD"],
            next="/admin/",
        )

    def press(self, path: str, **fields: str) -> str:
        """Open the page and press its button: what is hidden in its form goes along. Returns the page that follows."""
        page = self._session.get(self._address + path, timeout=60)
        return self.post(path, **{**dict(_HIDDEN.findall(page.text)), **fields})

    def post(self, path: str, **fields: str | list[str]) -> str:
        """Send a form that has no page of its own. Returns the page that follows."""
        token = self._session.cookies.get("csrftoken") or ""
        headers = {"X-CSRFToken": token, "Referer": self._address}
        data: dict[str, str | list[str]] = {"csrfmiddlewaretoken": token, **fields}
        answer = self._session.post(self._address + path, data=data, headers=headers, timeout=60)
        assert answer.status_code == 200, (path, answer.status_code, answer.text[-2000:])
        return answer.text

    def launch(self, campaign: int) -> str:
        """Look at what would be sent, and press Send."""
        return self.send(campaign, self.look_at(campaign))

    def look_at(self, campaign: int) -> dict[str, str]:
        """What the page before sending sends back with its button, which is there once a worker has counted."""
        path = f"/admin/campaigns/campaign/{campaign}/launch/"
        pages: list[str] = []

        def has_button() -> bool:
            pages.append(self._session.get(self._address + path, timeout=60).text)
            return 'name="confirm"' in pages[-1]

        wait_for(has_button, "the button that sends")
        return dict(_HIDDEN.findall(pages[-1]))

    def send(self, campaign: int, fields: Mapping[str, str]) -> str:
        """Press Send on a page that was looked at."""
        return self.post(f"/admin/campaigns/campaign/{campaign}/launch/", **fields)

    def pause(self, campaign: int) -> str:
        return self.post(f"/admin/campaigns/campaign/{campaign}/pause/")

    def resume(self, campaign: int) -> str:
        return self.post(f"/admin/campaigns/campaign/{campaign}/resume/")

    def cancel(self, campaign: int) -> str:
        return self.post(f"/admin/campaigns/campaign/{campaign}/cancel/", confirm="yes")

    def resend_unknown(self, campaign: int) -> str:
        """Decide that the unknown messages of a campaign are sent again."""
        return self.post(f"/admin/campaigns/campaign/{campaign}/unknown/", decision="resend", confirm="yes")

    def send_again(self, campaign: int, *statuses: str) -> str:
        """Make a child campaign for those who were not reached."""
        path = f"/admin/campaigns/campaign/{campaign}/resend/"
        return self.post(path, confirm="yes", statuses=list(statuses))

    def choose_contacts(self, action: str, contacts: Iterable[int]) -> str:
        """An action of the list of contacts, confirmed."""
        chosen = [str(pk) for pk in contacts]
        return self.post("/admin/campaigns/contact/", action=action, _selected_action=chosen, confirm="yes")

    def edit_contact(self, contact: int, phone_number: str, first_name: str) -> str:
        path = f"/admin/campaigns/contact/{contact}/change/"
        return self.post(path, phone_number=phone_number, first_name=first_name, consent="unknown", language="")

    def set_pace(self, per_second: int | None) -> str:
        """Of the gateway."""
        rate = "" if per_second is None else str(per_second)
        return self.post("/admin/campaigns/gatewaystate/default/rate/", max_per_second=rate, rate_unit="messages")
