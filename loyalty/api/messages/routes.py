"""Messages: what customers are told, in which words, and what became of it."""

from __future__ import annotations

from fastapi import Request

from loyalty.api.fields import Decision
from loyalty.api.messages.schemas import KindBody, KindView, MessageDetailView, MessageView, SendingView
from loyalty.http.routes import Calling, Cursor, Limit, api
from loyalty.kit.paging import Page, shown
from loyalty.messages.models import MessageState
from loyalty.messages.sending import Sending
from loyalty.messages.service import MessageService

router = api("messages")


@router.get("/v1/messages")
def list_messages(
    call: Calling,
    customer: str | None = None,
    kind: str | None = None,
    state: MessageState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[MessageView]:
    """Messages, newest first."""
    messages = MessageService(call.session)
    return shown(messages.page(customer=customer, kind=kind, state=state, cursor=cursor, limit=limit), MessageView.of)


@router.get("/v1/messages/{message}")
def get_message(call: Calling, message: str) -> MessageDetailView:
    """One message, with each try to tell it."""
    messages = MessageService(call.session)
    found = messages.get(message)
    return MessageDetailView.whole(found, messages.deliveries_of(found))


@router.post("/v1/messages/{message}/send-again")
def send_message_again(call: Calling, message: str, decision: Decision) -> MessageDetailView:
    """Try a message anew that failed, is unclear or was withheld. The customer may be told twice what is unclear."""
    messages = MessageService(call.session)
    found = messages.send_again(message, actor=call.actor, reason=decision.reason)
    return MessageDetailView.whole(found, messages.deliveries_of(found))


@router.get("/v1/message-channels")
def show_message_channels(call: Calling, request: Request) -> SendingView:  # noqa: ARG001 (whoever calls may see it)
    """By which channels messages are sent, when they are not, and how many."""
    return SendingView.of(Sending.of(request.app.state.settings))


@router.get("/v1/message-kinds")
def list_message_kinds(call: Calling) -> list[KindView]:
    """Every kind of message: whether it is sent, and in which words."""
    return [KindView.of(setting) for setting in MessageService(call.session).kinds()]


@router.post("/v1/message-kinds/{kind}")
def set_message_kind(call: Calling, kind: str, wanted: KindBody) -> KindView:
    """Switch a kind on or off, and give it words."""
    texts = None if wanted.texts is None else {"en": wanted.texts.en.text(), "zh": wanted.texts.zh.text()}
    return KindView.of(MessageService(call.session).set_kind(kind, is_on=wanted.is_on, texts=texts, actor=call.actor))
