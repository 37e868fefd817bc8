"""Sends the mails that are due: claim, send, save what came of it. A crash in between repeats a mail, but never loses one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from clearing.kit.config import Settings
from clearing.kit.database import Database
from clearing.kit.events.recorder import EventRecorder
from clearing.kit.mail.models import Mail, MailKind, MailState
from clearing.kit.mail.repository import MailRepository
from clearing.kit.signing.keyring import Keyring
from clearing.notifications.mail import texts
from clearing.notifications.mail.sending import Mailer, Undeliverable, Undelivered
from clearing.notifications.webhooks.delivery import pause_after
from clearing.parties.names import Names
from clearing.parties.staff.invitations import InvitationService
from clearing.parties.staff.password_resets import PasswordResetService

log = structlog.get_logger(__name__)

_CLAIM_LIMIT = 4
_LONGEST_PAUSE = 3_600.0


@dataclass(frozen=True, slots=True)
class _Letter:
    """What is needed to send one mail without a session."""

    mail: Mail
    claimed_until: datetime
    recipient: str
    text: texts.Text


class MailDeliverer:
    """Delivers mails. Several processes may run one each at the same time."""

    def __init__(self, database: Database, settings: Settings, keyring: Keyring) -> None:
        self._database = database
        self._clock = database.clock
        self._settings = settings
        self._keyring = keyring
        self._mailer = Mailer(settings)

    def step(self) -> int:
        """Attempts some of the mails that are due; how many. After 0 there is nothing left to do."""
        if not self._settings.sends_mail:
            return 0
        at = self._clock.now()
        with self._database.reading() as session:
            if not MailRepository(session).any_due(at):
                return 0
        letters = self._claimed(at)
        for letter in letters:
            self._attempt(letter)
        return len(letters)

    # ---------------------------------------------------------------- claim

    def _claimed(self, at: datetime) -> list[_Letter]:
        """Mails that nobody else sends meanwhile. Those that have nobody to go to are dropped."""
        # Longer than this step can take: connecting, and a few answers for each mail.
        until = at + timedelta(seconds=5 * self._settings.smtp_timeout * _CLAIM_LIMIT + 10)
        letters = []
        with self._database.session.begin() as session:
            for mail in MailRepository(session).claim(at, until, _CLAIM_LIMIT):
                written = self._written(session, mail)
                if written is None:
                    mail.state = MailState.DROPPED
                else:
                    letters.append(_Letter(mail, until, *written))
        return letters

    def _written(self, session: Session, mail: Mail) -> tuple[str, texts.Text] | None:
        """The recipient and the text; None if nobody needs the mail any more."""
        if mail.kind is MailKind.INVITATION:
            return self._invitation(session, mail.about)
        return self._password_reset(session, mail.about)

    def _invitation(self, session: Session, invitation_id: str) -> tuple[str, texts.Text] | None:
        service = InvitationService(session, keyring=self._keyring, settings=self._settings)
        invitation = service.still_open(invitation_id)
        if invitation is None:
            return None
        text = texts.invitation(
            invitation.language,
            name=invitation.name,
            title=invitation.title,
            merchant=Names(session).optional_merchant_name(invitation.merchant_number),
            link=service.link(invitation),
            until=texts.moment(invitation.expires_at, self._settings.utc_offset_seconds),
        )
        return invitation.email, text

    def _password_reset(self, session: Session, reset_id: str) -> tuple[str, texts.Text] | None:
        service = PasswordResetService(session, keyring=self._keyring, settings=self._settings)
        found = service.still_open(reset_id)
        if found is None:
            return None
        reset, person = found
        return person.email, texts.password_reset(person.language, name=person.name, link=service.link(reset))

    # ---------------------------------------------------------------- send, and save what came of it

    def _attempt(self, letter: _Letter) -> None:
        try:
            self._mailer.send(letter.mail.id, letter.recipient, letter.text)
        except Undelivered as failure:
            self._save(letter, answer=str(failure), is_final=False)
        except Undeliverable as failure:
            self._save(letter, answer=str(failure), is_final=True)
        else:
            self._save(letter, answer=None, is_final=True)

    def _save(self, letter: _Letter, *, answer: str | None, is_final: bool) -> None:
        at = self._clock.now()
        with self._database.session.begin() as session:
            mail = MailRepository(session).lock(letter.mail.id)
            if mail is None or mail.state is not MailState.PENDING or mail.next_attempt_at != letter.claimed_until:
                return  # claimed again in the meantime: another outcome will count
            mail.answer = _without(letter.recipient, answer)[:300] if answer is not None else None
            if answer is None:
                mail.state, mail.sent_at = MailState.SENT, at
            elif is_final or at - mail.created_at > timedelta(seconds=self._settings.mail_give_up_after):
                self._give_up(session, mail)
            else:
                pause = pause_after(mail.attempts, self._settings.mail_first_retry, _LONGEST_PAUSE)
                mail.next_attempt_at = at + timedelta(seconds=pause)
                log.info("mail not sent yet", mail=mail.id, attempts=mail.attempts, answer=mail.answer)

    @staticmethod
    def _give_up(session: Session, mail: Mail) -> None:
        mail.state = MailState.FAILED
        log.warning("mail given up", mail=mail.id, attempts=mail.attempts, answer=mail.answer)
        data = {"mail": mail.id, "kind": mail.kind, "answer": mail.answer}
        EventRecorder(session).record("mail.failed", mail.about, actor="worker", data=data)


def _without(recipient: str, answer: str) -> str:
    """What a server said, for logs and events. Servers like to repeat the address, which is not for everybody who reads those."""
    return re.sub(re.escape(recipient), "...", answer, flags=re.IGNORECASE)
