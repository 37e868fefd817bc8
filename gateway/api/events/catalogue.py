"""Every type of event that merchants are told of, and what its `data` holds. The description's `webhooks` follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from pydantic import Field, create_model

from gateway.api.agreements.schemas import AgreementView
from gateway.api.holds.schemas import HoldView
from gateway.api.movements.schemas import MovementView
from gateway.api.orders.schemas import OrderView
from gateway.http.schemas import View


class EventKind(NamedTuple):
    """One type of event."""

    description: str
    data: type[View]
    """What its `data` looks like."""


def _data(name: str, /, **fields: Any) -> type[View]:
    """A view for `data` that is no resource of its own."""
    definitions: dict[str, Any] = {field: (of, ...) for field, of in fields.items()}
    return create_model(name, __base__=View, __doc__="What happened.", **definitions)


_BANK = _data("BankEventData", micros=int, bank_reference=str)
_LIQUIDITY = _data(
    "LiquidityEventData",
    level=str,
    before=str,
    liquidity_micros=int,
    position_micros=int,
    credit_limit_micros=int,
)
_STATEMENT = _data("StatementEventData", statement=str, day=date, revision=int, opening_micros=int, closing_micros=int)
_CODE = _data("MemberCodeEventData", code=str, member=str)
_MERGE = _data("MergeEventData", merge=str, member=str, into=str)
_MEMBER = _data("MemberEventData", member=str)
_OFFER = _data("InvitationEventData", name=str, title=str)
_REDEEMED = _data("RedeemedInvitationEventData", name=str, title=str, api_key=str)
_SEAT = _data("SeatEventData", name=str, seat=str, title=str)
_STAFF = _data("StaffEventData", name=str)
_ENDPOINT = _data("WebhookEndpointEventData", url=str)
_CHANGE = _data("ChangeEventData", before=dict[str, Any], after=dict[str, Any])
_NOTHING = _data("EmptyEventData")
_ANYTHING = _data("OtherEventData")

EVENT_TYPES: Mapping[str, EventKind] = {
    "order.accepted": EventKind("The gateway has accepted an order of yours.", OrderView),
    "order.submitted": EventKind("An order is in a transaction that was sent to the chain.", OrderView),
    "order.settled": EventKind(
        "An order has taken effect; look at its movements for those that were rejected.", OrderView
    ),
    "order.rejected": EventKind("The chain has refused an order; `reason` says why.", OrderView),
    "order.expired": EventKind("An order was in no block before its deadline.", OrderView),
    "order.cancelled": EventKind("The operator has ended an order that no batch contained.", OrderView),
    "order.reopened": EventKind("The block of an order fell out of the chain; it waits for another one.", OrderView),
    **{
        f"{noun}.{action}": EventKind(description, MovementView)
        for noun in ("exchange", "spend", "reversal")
        for action, description in (
            (
                "received",
                "You have received points, or have to hand out goods for them: the settled movement, whoever signed.",
            ),
            ("sent", "Points of yours went, and the other side signed: the settled movement."),
            (
                "reopened",
                "The block of a movement that you were told of fell out of the chain; it waits for another one.",
            ),
        )
    },
    "hold.created": EventKind("Points were set aside.", HoldView),
    "hold.captured": EventKind("A hold became an order.", HoldView),
    "hold.released": EventKind("A hold was given up; its points are free.", HoldView),
    "hold.expired": EventKind("A hold has lapsed; its points are free.", HoldView),
    "agreement.proposed": EventKind("Terms were proposed to you, or by you.", AgreementView),
    "agreement.signed": EventKind("One side has signed the terms.", AgreementView),
    "agreement.accepted": EventKind("Both sides have signed; the chain is to register the agreement.", AgreementView),
    "agreement.active": EventKind("The chain has registered the agreement.", AgreementView),
    "agreement.superseded": EventKind("A newer version has taken the agreement's place.", AgreementView),
    "agreement.failed": EventKind("The chain has refused the agreement; `reason` says why.", AgreementView),
    "agreement.termination_requested": EventKind(
        "One side has signed an earlier end; the chain is to register it.", AgreementView
    ),
    "agreement.terminated": EventKind("One side has ended the agreement.", AgreementView),
    "agreement.termination_failed": EventKind(
        "The chain has refused the earlier end; `reason` says why. The agreement goes on.", AgreementView
    ),
    "agreement.withdrawn": EventKind("The proposer has taken the terms back.", AgreementView),
    "agreement.declined": EventKind("The other side does not want the terms.", AgreementView),
    "agreement.lapsed": EventKind("The terms were not signed in time.", AgreementView),
    "agreement.expired": EventKind("The time for which an agreement was signed is over.", AgreementView),
    "member.registered": EventKind("You know a member from now on.", _NOTHING),
    "member.link_code_created": EventKind("A link code was made for a member.", _NOTHING),
    "member.claimed": EventKind("You know a member from now on whose points you had received.", _NOTHING),
    "member.external_id_added": EventKind("A member has a further number of yours.", _NOTHING),
    "member.external_id_retired": EventKind("A number of yours leads to no member any more.", _NOTHING),
    "member.merge_proposed": EventKind("Two members are to become one; nothing has happened yet.", _MERGE),
    "member.merge_cancelled": EventKind("The merge was given up.", _MERGE),
    "member.merged": EventKind("The member's ids lead to `into` from now on; its points follow.", _MERGE),
    "member.merge_due": EventKind("Sign the transfer that moves a merged member's points in your program.", _MERGE),
    "member.merge_done": EventKind("No points are left at the merged member's old address.", _MERGE),
    "member.frozen": EventKind("A member of yours was frozen: its points cannot be taken.", _ANYTHING),
    "member.unfrozen": EventKind("A member's freeze was lifted.", _ANYTHING),
    "member.erased": EventKind("A member was erased: forget what you know of it.", _MEMBER),
    "member.code_created": EventKind("A member code was made.", _CODE),
    "member.code_used": EventKind("A merchant has used a member code.", _CODE),
    "member.code_voided": EventKind("A member code was taken back, or ended after too many tries.", _CODE),
    "points.expiring": EventKind("Points of a member will expire soon: remind the member.", _ANYTHING),
    "points.expiry_due": EventKind("Points have expired, and you have to burn them yourself.", _ANYTHING),
    "deposit.requested": EventKind("Money at the bank was booked for you.", _BANK),
    "deposit.posted": EventKind("The chain has the deposit: it counts.", _BANK),
    "deposit.failed": EventKind("The chain has refused the deposit; `reason` says why.", _BANK),
    "withdrawal.requested": EventKind("A payout was booked.", _BANK),
    "withdrawal.posted": EventKind("The chain has the withdrawal.", _BANK),
    "withdrawal.failed": EventKind("The chain has refused the withdrawal; `reason` says why.", _BANK),
    "liquidity.low": EventKind("Your liquidity is low: make a deposit soon.", _LIQUIDITY),
    "liquidity.critical": EventKind("Your liquidity is almost used up: exchanges will be refused.", _LIQUIDITY),
    "liquidity.restored": EventKind("Your liquidity is fine again.", _LIQUIDITY),
    "statement.ready": EventKind("The statement of a day is there, or was made anew.", _STATEMENT),
    "merchant.registered": EventKind("You take part in the network.", _ANYTHING),
    "merchant.credit_limit_requested": EventKind("Your credit limit will change.", _ANYTHING),
    "merchant.credit_limit_changed": EventKind("The chain has another credit limit for you.", _CHANGE),
    "merchant.suspension_requested": EventKind("You will be suspended: you start no new business then.", _CHANGE),
    "merchant.resumption_requested": EventKind("Your suspension will end.", _CHANGE),
    "merchant.closure_requested": EventKind("You will be closed for good.", _CHANGE),
    "merchant.status_changed": EventKind("The chain has another status for you.", _CHANGE),
    "merchant.signer_revocation_requested": EventKind("A key of yours will end.", _CHANGE),
    "merchant.signer_recovery_requested": EventKind("You will get a new key, because all of yours are lost.", _CHANGE),
    "merchant.signer_change_requested": EventKind("A change of a key that you have signed is on its way.", _CHANGE),
    "merchant.signer_changed": EventKind("A key of yours is new on the chain, or ends at another time.", _CHANGE),
    "merchant.key_kept_elsewhere": EventKind("The gateway signs for you with a key that somebody else keeps.", _CHANGE),
    "program.registered": EventKind("A program of yours was registered.", _ANYTHING),
    "program.pause_requested": EventKind("The points of a program of yours will not move any more.", _CHANGE),
    "program.resumption_requested": EventKind("The points of a program of yours will move again.", _CHANGE),
    "program.pause_changed": EventKind("The points of a program of yours stand still, or move again.", _CHANGE),
    "program.issuance_cap_requested": EventKind("What a program of yours may issue in a day will change.", _CHANGE),
    "program.issuance_cap_changed": EventKind(
        "The chain has another cap for what a program of yours issues in a day; `next_issuance_cap` may count later.",
        _CHANGE,
    ),
    "api_key.created": EventKind("An API key of yours was made.", _ANYTHING),
    "api_key.revoked": EventKind(
        "An API key of yours was revoked; `revoked_with` names the key from which it came, if that was revoked.",
        _ANYTHING,
    ),
    "staff.invited": EventKind("Somebody was offered a seat at your merchant.", _OFFER),
    "staff.invitation_redeemed": EventKind(
        "A program has got your first API key for the network's invitation.", _REDEEMED
    ),
    "staff.invitation_revoked": EventKind("An offer of a seat was taken back.", _OFFER),
    "staff.seated": EventKind("Somebody has a seat at your merchant.", _SEAT),
    "staff.title_changed": EventKind("Somebody at your merchant has another title.", _SEAT),
    "staff.unseated": EventKind("Somebody has lost the seat at your merchant.", _SEAT),
    "staff.disabled": EventKind("Somebody at your merchant may not sign in any more.", _STAFF),
    "staff.enabled": EventKind("Somebody at your merchant may sign in again.", _STAFF),
    "staff.sessions_ended": EventKind("Somebody at your merchant was signed out everywhere.", _STAFF),
    "staff.renamed": EventKind("Somebody at your merchant has another name.", _STAFF),
    "webhook_endpoint.created": EventKind("An endpoint of yours was made.", _ENDPOINT),
    "webhook_endpoint.changed": EventKind("An endpoint of yours was changed.", _ENDPOINT),
    "webhook_endpoint.secret_renewed": EventKind("An endpoint of yours has a new secret.", _ENDPOINT),
    "webhook_endpoint.removed": EventKind("An endpoint of yours was removed.", _ENDPOINT),
    "webhook_endpoint.replayed": EventKind("Events are sent again to an endpoint of yours.", _ENDPOINT),
    "webhook_endpoint.disabled": EventKind("An endpoint failed for too long and gets nothing any more.", _ENDPOINT),
}


class WebhookMessage(View):
    """The body of a webhook request (Standard Webhooks)."""

    id: str = Field(description="the event's id: two requests with the same one are the same event")
    type: str
    timestamp: datetime = Field(description="when it happened")
    subject: str = Field(description="the id of what it happened to")


def webhooks(schemas: dict[str, Any]) -> dict[str, Any]:
    """The `webhooks` section of the description; adds the schemas that it needs to `schemas`."""
    for view in {kind.data.__name__: kind.data for kind in EVENT_TYPES.values()}.values():
        _add_schema(schemas, view)
    _add_schema(schemas, WebhookMessage)
    return {name: {"post": _operation(name, kind)} for name, kind in EVENT_TYPES.items()}


def _operation(name: str, kind: EventKind) -> dict[str, Any]:
    data = {"$ref": f"#/components/schemas/{kind.data.__name__}"}
    message = {
        "allOf": [
            {"$ref": "#/components/schemas/WebhookMessage"},
            {"type": "object", "required": ["data"], "properties": {"type": {"const": name}, "data": data}},
        ]
    }
    headers = {
        "webhook-id": "the event's id",
        "webhook-timestamp": "Unix seconds of this attempt",
        "webhook-signature": "`v1,` and the signature; two of them while a secret is being renewed",
    }
    return {
        "summary": name,
        "description": kind.description,
        "operationId": f"on_{name.replace('.', '_')}",
        "tags": ["webhooks"],
        "parameters": [
            {"name": header, "in": "header", "required": True, "description": text, "schema": {"type": "string"}}
            for header, text in headers.items()
        ],
        "requestBody": {"required": True, "content": {"application/json": {"schema": message}}},
        "responses": {"2XX": {"description": "Received. Anything else, or no answer in time, is tried again for days"}},
    }


def _add_schema(schemas: dict[str, Any], view: type[View]) -> None:
    schema = view.model_json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
    for nested, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(nested, definition)
    schemas.setdefault(view.__name__, schema)
