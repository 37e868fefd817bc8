"""Inviting people by mail: what the pages say while the mail is on its way, when it is there, and when it cannot be delivered."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from clearing.notifications.mail.delivery import MailDeliverer
from clearing.runtime.embedded.ports import free_port
from console.sessions import SessionCookie
from console.settings import Settings
from console.visit import LANGUAGE_COOKIE
from tests.console.sending import opened
from tests.console.served import served
from tests.gateway.site import Site
from tests.gateway.staff import PASSWORD, worker
from tests.support.mail_server import SECRET, USER, MailServer


class Posted:
    """A gateway that sends mails, its worker, and its console."""

    def __init__(self, site: Site, url: str, server: MailServer) -> None:
        self.site = site
        self.url = url
        self.box = server.box
        self.deliverer = MailDeliverer(site.database, site.settings, site.app.state.gateway.keyrings.mailed_links)

    def http(self, token: str | None = None) -> httpx.Client:
        """A client without a browser."""
        cookies = {SessionCookie(Settings()).name: token, LANGUAGE_COOKIE: "en"} if token else {}
        return httpx.Client(base_url=self.url, cookies=cookies, headers={"Accept-Language": "en"}, timeout=60)

    def link(self) -> str:
        """Where the last mail leads, below the console."""
        found = re.search(rf"{re.escape(self.url)}(/\S+)", str(self.box.mails[-1].get_content()))
        assert found is not None
        return found[1]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Posted]:
    directory, port = tmp_path_factory.mktemp("mail"), free_port()
    with MailServer() as server:
        mail = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_tls": "none", "smtp_user": USER}
        url = f"http://127.0.0.1:{port}"
        options = {**mail, "smtp_password": SECRET, "console_url": url}
        with (
            Site(f"sqlite:///{directory / 'x.db'}", directory, **options) as site,
            served(str(site.http.base_url), port=port),
        ):
            yield Posted(site, url, server)


def test_the_first_admin_is_invited_by_mail_and_then_invites_others(place: Posted) -> None:
    operator, gas = worker(place.site, "operator"), place.site.merchant("Gas")
    path = f"/merchants/{gas.id}"
    with place.http(operator.token) as http:
        page = opened(http, path)
        typed = {"email": "chen@gas.example", "name": "Chen", "language": "en", "reason": "signed the contract"}
        asked = page.send(f"{path}/invitations", **typed)
        shown = opened(http, asked.leads_to)
        assert "It is asked for: another person has to approve it." in shown.text
        assert "tdi_" not in shown.text, "only the mail has the link"
        assert place.deliverer.step() == 0, "nobody has approved it"
        approved = place.site.post(f"/v1{asked.leads_to}/approve", None, caller="treasury")
        assert (approved["link"], approved["code"]) == (None, None), "only the mail has the link"
        shown = opened(http, path)
        assert "The mail is on its way" in shown.text
        assert "The mail is on its way" in opened(http, f"/people?merchant={gas.id}").text
        assert place.deliverer.step() == 1
        assert "The mail is sent" in opened(http, f"/people?merchant={gas.id}").text
        again = page.send(f"{path}/invitations", **typed)
        assert again.leads_to == asked.leads_to
        assert place.deliverer.step() == 0, "sent again by a double click, it invites once"
    link = place.link()
    with place.http() as http:
        joined = opened(http, link).send("/invitation", name="Chen", password=PASSWORD, again=PASSWORD)
        assert joined.leads_to == "/"
        page = opened(http, "/people/invite")
        assert "Chen" in page.text
        typed = {"email": "wang@gas.example", "title": "cashier", "name": "Wang", "language": "zh"}
        assert page.send("/people/invite", **typed).leads_to == "/people"
        assert place.deliverer.step() == 1
        assert place.box.mails[-1]["To"] == "wang@gas.example"
    with place.http() as http:
        assert opened(http, link).status == 409, "the link is good once"


def test_what_the_mail_server_refuses_is_said_in_words_and_can_be_sent_again(place: Posted) -> None:
    admin = worker(place.site, "admin", place.site.merchant("Oil"))
    typed = {"email": "li@oil.example", "title": "viewer", "name": "Li", "language": "en"}
    with place.http(admin.token) as http:
        assert opened(http, "/people/invite").send("/people/invite", **typed).leads_to == "/people"
        place.box.answers = ["451 busy, try later", "550 no such mailbox"]
        assert place.deliverer.step() == 1
        text = opened(http, "/people").text
        assert "The mail has not arrived yet; it is tried again for a day" in text
        assert "451 busy, try later" in text
        place.site.clock.move(timedelta(minutes=2))
        assert place.deliverer.step() == 1
        page = opened(http, "/people")
        assert "The mail cannot be delivered. Check the address, and invite again" in page.text
        assert "550 no such mailbox" in page.text
        (invitation,) = re.findall(r'action="/people/invitations/(inv_\w+)/resend"', page.text)
        assert page.send(f"/people/invitations/{invitation}/resend").leads_to == "/people"
        assert place.deliverer.step() == 1
        assert "The mail is sent" in opened(http, "/people").text
        assert len(re.findall("/resend", opened(http, "/people").text)) == 1, "one invitation is open, the new one"
    assert place.box.mails[-1]["To"] == "li@oil.example"


def test_how_the_network_reaches_its_mail_server_is_not_a_merchants_affair(place: Posted) -> None:
    oil = place.site.merchant("Diesel")
    admin, operator = worker(place.site, "admin", oil), worker(place.site, "operator")
    typed = {"email": "zhao@oil.example", "title": "viewer", "name": "Zhao", "language": "en"}
    with place.http(admin.token) as http, place.http(operator.token) as watching:
        assert opened(http, "/people/invite").send("/people/invite", **typed).leads_to == "/people"
        elsewhere = place.site.settings.model_copy(update={"smtp_port": free_port()})
        away = MailDeliverer(place.site.database, elsewhere, place.site.app.state.gateway.keyrings.mailed_links)
        assert away.step() == 1
        text = opened(http, "/people").text
        assert "The mail has not arrived yet" in text
        assert "ConnectionRefusedError" not in text
        assert "ConnectionRefusedError" in opened(watching, f"/people?merchant={oil.id}").text


def test_a_forgotten_password_is_chosen_anew_by_mail(place: Posted) -> None:
    one = worker(place.site, "viewer", place.site.merchant("Wash"))
    with place.http() as http:
        asked = opened(http, "/forgotten-password").send("/forgotten-password", email=one.email)
        assert asked.leads_to == "/sign-in"
        assert place.deliverer.step() == 1
        chosen = "another-harbour-at-noon"
        done = opened(http, place.link()).send("/new-password", password=chosen, again=chosen)
        assert done.leads_to == "/sign-in"
        assert opened(http, "/sign-in").send("/sign-in", email=one.email, password=chosen).leads_to == "/"
