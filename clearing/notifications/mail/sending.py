"""One mail over SMTP."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, parseaddr

from clearing.kit.config import Settings
from clearing.notifications.mail.texts import Text


class Undeliverable(Exception):
    """The server has refused the mail for good."""


class Undelivered(Exception):
    """The server could not take the mail now."""


class Mailer:
    """Hands mails to the network's server."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def send(self, mail_id: str, recipient: str, text: Text) -> None:
        """Sends a mail. Sent twice, it has the same Message-ID, so a mailbox shows it once. Raises Undeliverable or Undelivered."""
        message = self._message(mail_id, recipient, text)
        try:
            with self._connection() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise (_refusal(code))(_said(code, answer)) from error
        except smtplib.SMTPResponseException as error:
            raise (_refusal(error.smtp_code))(_said(error.smtp_code, error.smtp_error)) from error
        except (smtplib.SMTPException, OSError) as error:
            raise Undelivered(f"{type(error).__name__}: {error}") from error

    def _message(self, mail_id: str, recipient: str, text: Text) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._settings.mail_from
        message["To"] = recipient
        message["Subject"] = text.subject
        message["Date"] = formatdate()
        domain = parseaddr(self._settings.mail_from)[1].rpartition("@")[2] or "tongdui.local"
        message["Message-ID"] = f"<{mail_id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text.body)
        return message

    def _connection(self) -> smtplib.SMTP:
        settings = self._settings
        place = settings.smtp_host, settings.smtp_port
        server: smtplib.SMTP
        if settings.smtp_tls == "tls":
            server = smtplib.SMTP_SSL(*place, timeout=settings.smtp_timeout, context=ssl.create_default_context())
        else:
            server = smtplib.SMTP(*place, timeout=settings.smtp_timeout)
        try:
            if settings.smtp_tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if settings.smtp_user:
                server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _refusal(code: int) -> type[Exception]:
    """5xx is for good, but not what concerns our own account: somebody will correct that."""
    return Undeliverable if 500 <= code < 600 and code not in (530, 534, 535, 538) else Undelivered


def _said(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return f"{code} {text}"
