"""Mails over real SMTP: invitations and new passwords, tried again, given up, and never lost."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.mail.models import Mail, MailState
from clearing.notifications.mail import texts
from clearing.notifications.mail.delivery import MailDeliverer
from clearing.notifications.mail.sending import Mailer, Undelivered
from clearing.parties.staff.models import Language, PasswordReset
from clearing.parties.staff.titles import Title
from tests.gateway.site import Site
from tests.gateway.staff import PASSWORD, worker
from tests.support.mail_server import SECRET, USER, Certificate, MailServer

NEW_PASSWORD = "four-random-words-help"


class Post:
    """A gateway that sends mails, the worker that sends them, and the server that takes them."""

    def __init__(self, url: str, directory: Path) -> None:
        self.server = MailServer()
        self.box = self.server.box
        self.is_open = True
        self.site = Site(
            url,
            directory,
            smtp_host="127.0.0.1",
            smtp_port=self.server.port,
            smtp_tls="none",
            smtp_user=USER,
            smtp_password=SECRET,
            mail_from="通兑 <no-reply@tongdui.example>",
            console_url="https://console.example/",
        )
        self.keyring = self.site.app.state.gateway.keyrings.mailed_links

    def close(self) -> None:
        """Stops the server."""
        self.is_open = False
        self.server.close()

    @property
    def deliverer(self) -> MailDeliverer:
        """A worker that has just started."""
        return MailDeliverer(self.site.database, self.site.settings, self.keyring)

    def delivered(self) -> EmailMessage:
        """The one mail that is sent now."""
        assert self.deliverer.step() == 1
        return self.box.mails[-1]

    def states(self) -> list[MailState]:
        """The states of all mails, oldest first."""
        with self.site.database.reading() as session:
            return [mail.state for mail in session.query(Mail).order_by(Mail.id)]


@pytest.fixture
def post(database_url: str, tmp_path: Path) -> Iterator[Post]:
    running = Post(database_url, tmp_path)
    with running.site:
        yield running
    if running.is_open:
        running.close()


def _text(message: EmailMessage) -> str:
    return str(message.get_content()).replace("\r\n", "\n")


def _token(message: EmailMessage, path: str) -> str:
    found = re.search(rf"https://console\.example/{path}\?token=(\S+)", _text(message))
    assert found is not None, _text(message)
    return found[1]


def test_an_invitation_comes_by_mail_in_the_persons_language(post: Post) -> None:
    gas = post.site.merchant("Gas")
    admin = worker(post.site, "admin", gas)
    offer = {"email": "li@partner.example", "title": "cashier", "name": "李娜"}
    made = admin.post("/v1/invitations", offer)
    assert (made["link"], made["mail"]["state"]) == (None, "pending"), "the mail has the link"
    mail = post.delivered()
    assert (mail["To"], mail["Subject"]) == ("li@partner.example", "邀请您加入通兑：Gas")
    assert mail["From"].addresses[0].display_name == "通兑"
    assert "您好，李娜" in _text(mail)
    assert "收银员" in _text(mail)
    body = {"token": _token(mail, "invitation"), "name": "Li Na", "password": NEW_PASSWORD}
    assert post.site.post("/v1/invitations/accept", body)["seat"]["title"] == "cashier"
    admin.post("/v1/invitations", {**offer, "email": "wang@partner.example", "language": "en", "name": ""})
    english = post.delivered()
    assert english["Subject"] == "You are invited to Tongdui: Gas"
    assert "Hello,\n" in _text(english)
    assert post.box.logins == [(b"tongdui", b"smtp-secret")] * 2
    assert post.deliverer.step() == 0, "each once"


def test_a_new_password_comes_by_mail_and_only_to_who_is_there(post: Post) -> None:
    one = worker(post.site, "viewer", post.site.merchant("Gas"))
    answers = [
        post.site.call("POST", "/v1/password_resets", {"email": email}) for email in (one.email, "nobody@x.example")
    ]
    assert {answer.status_code for answer in answers} == {202}
    mail = post.delivered()
    assert (mail["To"], mail["Subject"], len(post.box.mails)) == (one.email, "A new password for Tongdui", 1)
    assert post.states() == [MailState.SENT, MailState.DROPPED]
    token = _token(mail, "new-password")
    weak = post.site.refused("/v1/password_resets/perform", {"token": token, "password": "short"}, "weak_password")
    assert weak["errors"][0]["pointer"] == "/password"
    body = {"token": token, "password": NEW_PASSWORD}
    assert post.site.post("/v1/password_resets/perform", body)["email"] == one.email
    assert one.call("GET", "/v1/network").status_code == 401, "all its sessions have ended"
    post.site.refused("/v1/password_resets/perform", body, "reset_ended", 409)
    post.site.refused("/v1/sessions", {"email": one.email, "password": PASSWORD}, "wrong_credentials", 401)
    one.password = NEW_PASSWORD
    one.sign_in()


def test_a_link_for_a_new_password_lasts_an_hour_and_the_first_use_ends_all(post: Post) -> None:
    one = worker(post.site, "viewer", post.site.merchant("Gas"))
    tokens = []
    for _ in range(3):
        post.site.call("POST", "/v1/password_resets", {"email": one.email})
        tokens.append(_token(post.delivered(), "new-password"))
    limited = post.site.call("POST", "/v1/password_resets", {"email": one.email.upper()})
    assert (limited.status_code, limited.json()["code"]) == (429, "too_many_sign_ins")
    post.site.post("/v1/password_resets/perform", {"token": tokens[1], "password": NEW_PASSWORD})
    post.site.refused("/v1/password_resets/perform", {"token": tokens[0], "password": PASSWORD}, "reset_ended", 409)
    post.site.clock.move(timedelta(minutes=16))
    post.site.call("POST", "/v1/password_resets", {"email": one.email})
    last = _token(post.delivered(), "new-password")
    post.site.clock.move(timedelta(hours=1))
    post.site.refused("/v1/password_resets/perform", {"token": last, "password": PASSWORD}, "reset_ended", 409)
    wrong = last[:-1] + ("0" if last[-1] != "0" else "1")
    post.site.refused("/v1/password_resets/perform", {"token": wrong, "password": PASSWORD}, "reset_unknown", 404)


def test_no_row_holds_what_a_mail_says(post: Post) -> None:
    one = worker(post.site, "viewer", post.site.merchant("Gas"))
    post.site.call("POST", "/v1/password_resets", {"email": one.email})
    secret = _token(post.delivered(), "new-password").rpartition("_")[2]
    with post.site.database.engine.connect() as connection:
        for table in ("mails", "staff_password_resets", "events"):
            assert secret not in repr(connection.exec_driver_sql(f"SELECT * FROM {table}").all()), table


def test_a_mail_is_tried_again_and_keeps_its_id(post: Post) -> None:
    post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    post.box.answers = ["451 later", "452 later"]
    for _ in range(2):
        assert post.deliverer.step() == 1
        assert post.deliverer.step() == 0, "it waits"
        post.site.clock.move(timedelta(minutes=2))
    assert post.states() == [MailState.PENDING]
    mail = post.delivered()
    with post.site.database.reading() as session:
        stored = session.query(Mail).one()
    assert (stored.state, stored.attempts, stored.answer) == (MailState.SENT, 3, None)
    assert mail["Message-ID"] == f"<{stored.id}@tongdui.example>"


def test_a_mail_that_a_crash_has_left_is_sent_by_another_worker(post: Post) -> None:
    post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    crashed = post.deliverer
    assert len(crashed._claimed(post.site.clock.now())) == 1  # and then it dies
    assert post.deliverer.step() == 0
    post.site.clock.move(timedelta(minutes=10))
    assert post.delivered()["To"] == "a@tongdui.example"


def test_what_the_server_refuses_for_good_is_given_up_with_an_event(post: Post) -> None:
    invitation = post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    post.box.answers = ["550 no such mailbox: <A@Tongdui.example>"]
    assert post.deliverer.step() == 1
    assert post.states() == [MailState.FAILED]
    (event,) = post.site.get(f"/v1/events?type=mail.failed&subject={invitation['id']}")["data"]
    assert event["data"]["answer"] == "550 no such mailbox: <...>"
    assert "a@tongdui.example" not in str(event).lower(), "everybody who watches the network reads it"
    (shown,) = post.site.get("/v1/invitations")["data"]
    assert shown["mail"] == {"state": "failed", "attempts": 1, "answer": "550 no such mailbox: <...>", "sent_at": None}


def test_after_a_day_a_mail_is_given_up(post: Post) -> None:
    invitation = post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    post.close()
    post.deliverer.step()
    assert post.states() == [MailState.PENDING]
    post.site.clock.move(timedelta(days=1, minutes=1))
    post.deliverer.step()
    assert post.states() == [MailState.FAILED]
    (event,) = post.site.get(f"/v1/events?type=mail.failed&subject={invitation['id']}")["data"]
    assert "ConnectionRefusedError" in event["data"]["answer"]


def test_a_wrong_login_at_the_server_is_ours_to_correct_so_the_mail_waits(post: Post) -> None:
    post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    wrong = post.site.settings.model_copy(update={"smtp_password": type(post.site.settings.smtp_password)("wrong")})
    assert MailDeliverer(post.site.database, wrong, post.keyring).step() == 1
    assert post.states() == [MailState.PENDING]
    (shown,) = post.site.get("/v1/invitations")["data"]
    assert shown["mail"]["answer"].startswith("535 ")


def test_a_mail_of_what_has_ended_is_dropped(post: Post) -> None:
    invitation = post.site.post("/v1/invitations", {"email": "a@tongdui.example", "title": "auditor"})
    post.site.call("DELETE", f"/v1/invitations/{invitation['id']}")
    assert post.deliverer.step() == 0
    assert (post.states(), post.box.mails) == ([MailState.DROPPED], [])


def test_a_name_cannot_add_lines_or_headers() -> None:
    text = texts.invitation(
        Language.ENGLISH,
        name="Li\r\nBcc: all@x.example {link}",
        title=Title.VIEWER,
        merchant="Gas\nBcc: all@x.example",
        link="https://console.example/",
        until="2026-01-01",
    )
    assert "\n" not in text.subject
    assert "Hello Li  Bcc: all@x.example {link},\n" in text.body


def test_whether_anybody_is_there_makes_no_difference_to_what_is_written(post: Post) -> None:
    one = worker(post.site, "viewer", post.site.merchant("Gas"))
    written = []
    for email in (one.email, "nobody@x.example"):
        with post.site.statements() as seen:
            post.site.call("POST", "/v1/password_resets", {"email": email})
        written.append([statement for statement, _ in seen])
    assert written[0] == written[1]
    database: Database = post.site.database
    with database.reading() as session:
        assert [reset.person_id for reset in session.query(PasswordReset).order_by(PasswordReset.id)] == [one.id, None]


# -------------------------------------------------------------------- encrypted


def _sent(server: MailServer, **settings: str) -> None:
    """Sends a mail to this server."""
    mailer = Mailer(
        Settings(
            smtp_host="localhost",
            smtp_port=server.port,
            smtp_user=USER,
            smtp_password=SECRET,
            smtp_timeout=10,
            **settings,
        )
    )
    mailer.send("mai_1", "li@partner.example", texts.Text("A subject", "A text"))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("certificate"), "localhost")


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_and_its_login_go_encrypted_to_a_server_that_is_who_it_says(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    with MailServer(tls=tls, certificate=certificate) as server:
        _sent(server, smtp_tls=tls)
        assert [mail["Subject"] for mail in server.box.mails] == ["A subject"]
        assert server.box.logins == [(USER.encode(), SECRET.encode())]
        assert server.box.encrypted == [True]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("fault", ["nobody vouches for it", "it is another server's"])
def test_a_server_that_is_not_who_it_says_gets_neither_the_password_nor_the_mail(
    certificate: Certificate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tls: str, fault: str
) -> None:
    shown = certificate
    if fault == "it is another server's":
        shown = Certificate(tmp_path, "mail.example")
        monkeypatch.setenv("SSL_CERT_FILE", str(shown.path))
    with MailServer(tls=tls, certificate=shown) as server:
        with pytest.raises(Undelivered, match="SSLCertVerificationError"):
            _sent(server, smtp_tls=tls)
        assert (server.box.logins, server.box.mails) == ([], [])


def test_a_server_without_encryption_gets_neither_the_password_nor_the_mail() -> None:
    with MailServer() as server:
        with pytest.raises(Undelivered, match="STARTTLS"):
            _sent(server, smtp_tls="starttls")
        with pytest.raises(Undelivered, match="SSLError"):
            _sent(server, smtp_tls="tls")
        assert (server.box.logins, server.box.mails) == ([], [])
