"""What customers shall be told, once a matter. A message is written in the transaction that it tells of; a messenger sends it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy.orm import Session

from loyalty.audit_log.service import AuditLog
from loyalty.kit.database import clock_of, lock
from loyalty.kit.errors import Contradiction, FieldFault, Malformed, Unknown
from loyalty.kit.ids import new_id
from loyalty.messages.models import Delivery, HeardUntil, KeptKind, Message, MessageState
from loyalty.messages.repository import MessageRepository
from loyalty.messages.templates import KINDS, LANGUAGES, LONGEST_BODY, LONGEST_TITLE, SWITCHED, Text, WrongText, check

MAY_BE_REPEATED = (MessageState.FAILED, MessageState.UNCLEAR, MessageState.WITHHELD)


@dataclass(frozen=True, slots=True)
class KindSetting:
    """A kind of message as it is sent now."""

    kind: str
    is_on: bool
    texts: Mapping[str, Text]
    is_default: bool
    """Whether the texts are those that the programme came with."""


class NewMatter(NamedTuple):
    """A matter of which a customer is told: who, by which kind of message, what of, what its text says, until when it is of use."""

    customer: str
    kind: str
    matter: str
    values: Mapping[str, Any]
    good_until: date | None = None


class MessageService:
    """Messages in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._messages = MessageRepository(session)
        self._log = AuditLog(session)

    # ---------------------------------------------------------------- telling

    def notify(
        self, customer: str, kind: str, matter: str, values: Mapping[str, Any], *, good_until: date | None = None
    ) -> None:
        """Has a customer be told of a matter, unless they were already. Whoever calls sees to it that no two do at once."""
        if self._messages.about(customer, matter) is None:
            self.notify_first([NewMatter(customer, kind, matter, values, good_until)])

    def notify_first(self, matters: Sequence[NewMatter]) -> None:
        """Has customers be told of matters of which nobody can have told them: nobody looks."""
        now = clock_of(self._session).now()
        self._messages.insert(
            [
                {
                    "id": new_id("msg"),
                    "customer_id": one.customer,
                    "kind": one.kind,
                    "matter": one.matter,
                    "values": dict(one.values),
                    "good_until": one.good_until,
                    "state": MessageState.WAITING.value,
                    "due_at": now,
                    "tries": 0,
                    "created_at": now,
                }
                for one in matters
            ]
        )

    def drop(self, customer: str, matter: str) -> bool:
        """Withholds what is no longer true, if it waits; whether it did."""
        message = self._messages.about(customer, matter)
        if message is None or message.state is not MessageState.WAITING:
            return False
        self._withhold(message)
        return True

    def drop_all(self, customer: str, kind: str) -> None:
        """Withholds all of a kind that waits and is no longer true."""
        for message in self._messages.waiting_of(customer, kind):
            self._withhold(message)

    def _withhold(self, message: Message) -> None:
        message.state, message.why = MessageState.WITHHELD, "no_longer_true"
        message.ended_at = clock_of(self._session).now()
        self._messages.flush()

    def send_again(self, message_id: str, *, actor: str, reason: str) -> Message:
        """Has a message be tried anew, now. Raises Contradiction where it was sent, or still waits."""
        message = self.get(message_id, for_update=True)
        if message.state not in MAY_BE_REPEATED:
            detail = f"the message is {message.state}: only one that failed, is unclear or was withheld is sent again"
            raise Contradiction("not_repeatable", detail)
        before = {"state": message.state.value, "why": message.why}
        message.state, message.why, message.tries, message.ended_at = MessageState.WAITING, None, 0, None
        message.due_at = clock_of(self._session).now()
        self._messages.flush()
        self._log.note(actor, "message.sent_again", message.id, reason=reason, before=before)
        return message

    # ---------------------------------------------------------------- kinds and their texts

    def kinds(self) -> Sequence[KindSetting]:
        """Every kind as it is sent now."""
        kept = {row.kind: row for row in self._messages.kinds()}
        return [_setting(kind, kept.get(kind)) for kind in SWITCHED]

    def kind(self, kind: str) -> KindSetting:
        """One kind as it is sent now. Raises Unknown."""
        _check_kind(kind)
        return _setting(kind, self._messages.kind(kind))

    def check_texts(self, kind: str, texts: Mapping[str, Text]) -> None:
        """Refuses texts that a kind cannot have. Raises Unknown, and Malformed with each of them."""
        _check_kind(kind)
        _check_texts(kind, texts)

    def set_kind(self, kind: str, *, is_on: bool, texts: Mapping[str, Text] | None, actor: str) -> KindSetting:
        """Switches a kind on or off and gives it texts; None: those that the programme came with. Raises Malformed."""
        _check_kind(kind)
        if texts is not None:
            self.check_texts(kind, texts)
        lock(self._session, f"message kind:{kind}")
        row = self._messages.kind(kind, for_update=True)
        before = _noted(_setting(kind, row))
        written = (
            None if texts is None else {name: {"title": one.title, "body": one.body} for name, one in texts.items()}
        )
        if row is None:
            row = KeptKind(kind=kind, is_on=is_on, texts=written)
            self._messages.add(row)
        else:
            row.is_on, row.texts, row.changed_at = is_on, written, clock_of(self._session).now()
            self._messages.flush()
        setting = _setting(kind, row)
        if _noted(setting) != before:
            self._log.note(actor, "message_kind.changed", kind, before=before, after=_noted(setting))
        return setting

    # ---------------------------------------------------------------- what was heard of the network

    def heard_until(self, topic: str) -> str | None:
        """The id of the last event of a topic that was heard."""
        heard = self._messages.heard_until(topic)
        return None if heard is None else heard.event

    def hear(self, topic: str, event: str) -> None:
        """Notes that everything up to an event was heard."""
        heard = self._messages.heard_until(topic)
        if heard is None:
            self._messages.add(HeardUntil(topic=topic, event=event))
        else:
            heard.event = event
            self._messages.flush()

    # ---------------------------------------------------------------- looking

    def get(self, message_id: str, *, for_update: bool = False) -> Message:
        """The message with this id. Raises Unknown."""
        message = self._messages.get(message_id, for_update=for_update)
        if message is None:
            raise Unknown("unknown_message", f"there is no message {message_id}")
        return message

    def deliveries_of(self, message: Message) -> Sequence[Delivery]:
        """Each try to send a message, the first one first."""
        return self._messages.deliveries_of(message.id)

    def last_deliveries(self, messages: Sequence[Message]) -> Mapping[str, Delivery]:
        """The last try of each of these messages that was tried, by the message."""
        found = self._messages.last_deliveries([one.id for one in messages]) if messages else ()
        return {one.message_id: one for one in found}

    def page(
        self, *, customer: str | None, kind: str | None, state: MessageState | None, cursor: str | None, limit: int
    ) -> tuple[Sequence[Message], str | None]:
        """Messages, newest first: of a customer, of a kind, in a state."""
        return self._messages.page(customer, kind, state, cursor, limit)


def _setting(kind: str, row: KeptKind | None) -> KindSetting:
    if row is None or row.texts is None:
        return KindSetting(kind, row is None or row.is_on, KINDS[kind].texts, is_default=True)
    texts = {language: Text(row.texts[language]["title"], row.texts[language]["body"]) for language in LANGUAGES}
    return KindSetting(kind, row.is_on, texts, is_default=False)


def _noted(setting: KindSetting) -> dict[str, Any]:
    texts = {language: [text.title, text.body] for language, text in setting.texts.items()}
    return {"is_on": setting.is_on, "texts": texts}


def _check_kind(kind: str) -> None:
    if kind not in SWITCHED:
        raise Unknown("unknown_message_kind", f"there is no kind of message {kind}; there are {', '.join(SWITCHED)}")


def _check_texts(kind: str, texts: Mapping[str, Text]) -> None:
    faults = []
    for language, text in texts.items():
        for field, said, longest in (("title", text.title, LONGEST_TITLE), ("body", text.body, LONGEST_BODY)):
            try:
                check(kind, said, longest)
            except WrongText as error:
                faults.append(FieldFault(f"/texts/{language}/{field}", str(error)))
    if faults:
        raise Malformed("bad_text", faults[0].detail, pointer=faults[0].pointer, faults=tuple(faults))
