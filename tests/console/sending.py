"""Sending the forms of a page without a browser: with the token and the key that stand in them."""

from __future__ import annotations

import html
import re
import secrets

import httpx

from pages import csrf
from pages.forms.form import KEY


class Sheet:
    """A page as it was answered, with its forms."""

    def __init__(self, http: httpx.Client, answer: httpx.Response) -> None:
        self._http = http
        self.answer = answer
        self.status = answer.status_code
        self.text = answer.text

    def error(self, name: str) -> str:
        """What stands beside a field that was refused."""
        found = re.search(rf'id="f-(?:\w+-)?{name}-error">.*?<span>(.*?)</span>', self.text, re.DOTALL)
        assert found is not None, f"nothing beside {name}: {self.text}"
        return html.unescape(found[1])

    def value(self, name: str) -> str:
        """What stands in a field."""
        (found,) = (tag for tag in re.findall(r"<input[^>]*>", self.text) if f'name="{name}"' in tag)
        value = re.search(r'value="([^"]*)"', found)
        return html.unescape(value[1]) if value else ""

    def values(self, action: str) -> dict[str, str]:
        """What a form sends as it stands: its hidden fields."""
        form = re.search(rf'<form[^>]*action="{re.escape(action)}"[^>]*>(.*?)</form>', self.text, re.DOTALL)
        assert form is not None, f"no form sends to {action}"
        hidden = (tag for tag in re.findall(r"<input[^>]*>", form[1]) if 'type="hidden"' in tag)
        pairs = ((re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)) for tag in hidden)
        return {name[1]: html.unescape(value[1]) for name, value in pairs if name and value}

    def send(self, action: str, **values: str) -> Sheet:
        """Sends one of its forms with what was typed, and follows no redirect."""
        return Sheet(self._http, self._http.post(action, data={**self.values(action), **values}))

    @property
    def leads_to(self) -> str:
        """Where its redirect leads."""
        assert self.status == 303, f"{self.status}: {self.text}"
        return self.answer.headers["location"]


def opened(http: httpx.Client, path: str) -> Sheet:
    """A page."""
    return Sheet(http, http.get(path))


def posted(http: httpx.Client, page: str, action: str, **values: str) -> Sheet:
    """A request that no form of a page makes, with the token of one that does."""
    token = re.search(rf'name="{csrf.FIELD}" value="([^"]+)"', http.get(page).text)
    assert token is not None
    return Sheet(http, http.post(action, data={csrf.FIELD: token[1], KEY: secrets.token_hex(8), **values}))


def take_other_seat(http: httpx.Client) -> str:
    """Somebody works as somebody else from now on; the seat's id."""
    page = opened(http, "/account")
    menu = re.search(r'action="/seat">(.*?)</form>', page.text, re.DOTALL)
    assert menu is not None
    (seat,) = re.findall(r'value="([^"]+)" aria-pressed="false"', menu[1])
    assert page.send("/seat", seat=seat).leads_to == "/"
    return str(seat)
