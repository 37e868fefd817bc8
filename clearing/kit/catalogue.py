"""Every code that a problem document can have: when it comes, and what to do about it.

The gateway's pages at `/problems/{code}` and docs/errors.md are made from this. A test refuses a code that is missing here.
"""

from __future__ import annotations

from typing import NamedTuple


class ProblemKind(NamedTuple):
    """One code."""

    code: str
    statuses: tuple[int, ...]
    """The HTTP statuses with which it comes."""
    title: str
    when: str
    remedy: str


GROUPS: dict[str, tuple[ProblemKind, ...]] = {
    "The request's form": (
        ProblemKind(
            "bad_request",
            (400,),
            "The request is malformed",
            "The body cannot be read at all: it is not UTF-8, or nested too deeply.",
            "Send a JSON object in UTF-8.",
        ),
        ProblemKind(
            "idempotency_key_missing",
            (400,),
            "The Idempotency-Key is missing",
            "A POST, PATCH or DELETE came without an `Idempotency-Key` header. (A dry run needs none.)",
            "Make a random key for each thing that you want to happen once, and send it again with every retry.",
        ),
        ProblemKind(
            "idempotency_key_invalid",
            (400,),
            "The Idempotency-Key has characters that no key may have",
            "The key is longer than 255 characters, or has spaces or characters that are not visible ASCII.",
            "Use a UUID.",
        ),
        ProblemKind(
            "validation_failed",
            (422,),
            "A field or a parameter is wrong",
            "A field of the body or a parameter is missing, unknown or malformed. `errors` names each one: `pointer` leads into "
            "the body, `parameter` is the name of a query parameter, path parameter or header.",
            "Correct what `errors` names. Nothing was done, so the same `Idempotency-Key` may be used again.",
        ),
        ProblemKind(
            "unsupported_media_type",
            (415,),
            "The body is not JSON",
            "The `Content-Type` of the body is not JSON.",
            "Send `Content-Type: application/json`.",
        ),
        ProblemKind(
            "request_too_large",
            (413,),
            "The body is too large",
            "The body has more than 1 MiB.",
            "Make several orders of it.",
        ),
        ProblemKind(
            "order_too_large",
            (422,),
            "The order does not fit into one transaction",
            "The chain could not carry out so many instructions of these kinds in one transaction.",
            "Make several orders of it.",
        ),
        ProblemKind(
            "method_not_allowed",
            (405,),
            "The path does not take this method",
            "There is something at this path, but not with this method.",
            "Use a method that the header `Allow` names.",
        ),
        ProblemKind(
            "http_error",
            (400, 408, 411, 414, 431),
            "The request breaks a rule of HTTP",
            "The server refused the request before it reached the gateway's own code.",
            "Read `detail`, and check your HTTP client.",
        ),
    ),
    "Who calls": (
        ProblemKind(
            "unauthenticated",
            (401,),
            "There is no valid API key",
            "The request has no API key, or one that is unknown or revoked.",
            "Send `Authorization: Bearer tdk_...` with a key that is in force.",
        ),
        ProblemKind(
            "forbidden",
            (403,),
            "The API key may not do this",
            "This is for another role, or for another merchant than the key's.",
            "Use a key of a role that `detail` names.",
        ),
        ProblemKind(
            "insufficient_scope",
            (403,),
            "The API key lacks a scope",
            "The key's role may do this, but not with the scopes that it was given.",
            "Use a key with the scope that `detail` names; the merchant can make one.",
        ),
        ProblemKind(
            "last_operator_key",
            (409,),
            "This is the last operator key",
            "Without it nobody could operate the network.",
            "Create another operator key first.",
        ),
    ),
    "What the request names": (
        ProblemKind(
            "not_found",
            (404,),
            "There is no such thing",
            "Nothing is at this path, or you may not know of it.",
            "Check the path and the id, and whether your key may see it.",
        ),
        ProblemKind(
            "unknown_member",
            (404,),
            "There is no such member",
            "You have not registered a member with this id or number.",
            "Register the member with `POST /v1/members`.",
        ),
        ProblemKind(
            "unknown_merchant",
            (404,),
            "There is no such merchant",
            "The body names a merchant that the network does not have.",
            "Look the id up with `GET /v1/merchants`.",
        ),
        ProblemKind(
            "unknown_program",
            (404,),
            "There is no such program",
            "The body names a program that the network does not have.",
            "Look the code up with `GET /v1/programs`.",
        ),
        ProblemKind(
            "unknown_agreement",
            (404,),
            "There is no such agreement",
            "The agreement does not exist, is not yours, or none is in force between the two programs.",
            "Look yours up with `GET /v1/agreements`, or propose one.",
        ),
        ProblemKind(
            "unknown_event",
            (404,),
            "There is no such event",
            "You ask to have an event sent again that is not yours or does not exist.",
            "Look the id up with `GET /v1/events`.",
        ),
        ProblemKind(
            "unknown_order",
            (404,),
            "There is no such order",
            "The operator's command names an order that does not exist.",
            "Check the id.",
        ),
    ),
    "Exactly once": (
        ProblemKind(
            "idempotency_key_reused",
            (422,),
            "The Idempotency-Key was used for another request",
            "A request with this key had another method, path or body.",
            "Make a new key for a new request.",
        ),
        ProblemKind(
            "idempotency_in_flight",
            (409,),
            "The first request with this Idempotency-Key is still running",
            "You sent it again before it was answered.",
            "Send it again after the seconds in `Retry-After`.",
        ),
        ProblemKind(
            "duplicate_reference",
            (409,),
            "The reference was used before",
            "Your document number has had its effect already: a `reference` counts once for each kind of movement.",
            "Look the movement up by its `reference`. If this is something else, give it another number.",
        ),
        ProblemKind(
            "bank_reference_used",
            (409,),
            "The bank reference was booked before",
            "A deposit or a withdrawal has this `bank_reference`.",
            "Look the booking up; do not book it twice.",
        ),
        ProblemKind(
            "conflict",
            (409,),
            "It conflicts with something that exists",
            "What you ask for contradicts what is there already.",
            "Read `detail`.",
        ),
    ),
    "Members and merchants": (
        ProblemKind(
            "external_id_taken",
            (409,),
            "You know another member by this number",
            "The `external_id` belongs to another member of yours.",
            "Choose another number, or use the member that has it.",
        ),
        ProblemKind(
            "external_id_retired",
            (409,),
            "You have retired this number",
            "The `external_id` once led to a member and was retired, perhaps because a card was lost.",
            "Use another number. To give this one out again, send `reissue: true`.",
        ),
        ProblemKind(
            "last_external_id",
            (422,),
            "It is the member's last number",
            "A member whom you know must have at least one `external_id` of yours.",
            "Add the new number first, or erase the member.",
        ),
        ProblemKind(
            "too_many_external_ids",
            (422,),
            "The member has too many numbers",
            "You have given the member 50 external ids.",
            "Retire those that are no longer used.",
        ),
        ProblemKind(
            "member_known",
            (409,),
            "You know this member already",
            "You claim a member by its id, but it has an `external_id` of yours.",
            "Use that one, or add a number with `POST /v1/members/{member}/external_ids`.",
        ),
        ProblemKind(
            "member_frozen",
            (422,),
            "The member is frozen",
            "You, the program's merchant or the network's operator has frozen the member: nobody takes its points.",
            "Read the reason in `freezes` of the member. Whoever froze it can unfreeze it.",
        ),
        ProblemKind(
            "member_merged",
            (503,),
            "The member was merged just now",
            "The member was merged into another one while your request ran. Nothing was done.",
            "Send it again, with the same `Idempotency-Key`: then the old id leads to the new member.",
        ),
        ProblemKind(
            "same_member",
            (422,),
            "A member cannot be merged into itself",
            "`from` and `into` lead to the same member.",
            "Name two members. If they were merged before, there is nothing to do.",
        ),
        ProblemKind(
            "member_only_claimed",
            (403,),
            "You know the member only from a movement",
            "Only a merchant with whom both members have registered may merge them. You have claimed one of them.",
            "Ask the member for a link code, or let the member's own merchant merge them.",
        ),
        ProblemKind(
            "holds_open",
            (409,),
            "There are holds on the member's points",
            "The member has pending holds, so it can be neither merged nor erased.",
            "Capture or release them, or wait until they lapse.",
        ),
        ProblemKind(
            "orders_pending",
            (409,),
            "The member has pending movements",
            "Movements of the member wait for the chain.",
            "Wait until they are settled, then send it again with a new `Idempotency-Key`.",
        ),
        ProblemKind(
            "points_left",
            (409,),
            "The member still has points",
            "Nobody could use the points of an erased member, and they would be lost.",
            "Let the member use them. If the member gives them up, send `forfeit_points: true`.",
        ),
        ProblemKind(
            "merge_changed",
            (409,),
            "This is not the transfer that is due",
            "The merge is not confirmed, or somebody has signed this transfer already.",
            "Look at the merge again, and sign what its `accounts` show.",
        ),
        ProblemKind(
            "merge_ended",
            (409,),
            "The merge has begun or was cancelled",
            "Only a merge that is `proposed` can be confirmed or cancelled.",
            "Look at its `state`.",
        ),
        ProblemKind(
            "link_code_invalid",
            (422,),
            "The link code is not valid",
            "The code is unknown, used, or older than ten minutes.",
            "Ask the member for a new one.",
        ),
        ProblemKind(
            "code_taken",
            (409,),
            "The program's code is taken",
            "Another program has this code.",
            "Choose another code.",
        ),
        ProblemKind(
            "key_taken",
            (409,),
            "The signer key belongs to a merchant",
            "A merchant of the network signs with this address.",
            "Make a key for each merchant.",
        ),
        ProblemKind(
            "merchant_pending",
            (503,),
            "The merchant is not on the chain yet",
            "The chain has not confirmed the merchant's registration.",
            "Send it again after the seconds in `Retry-After`.",
        ),
        ProblemKind(
            "merchant_suspended",
            (403,),
            "The merchant is suspended",
            "A suspended merchant may only redeem and reverse.",
            "Talk to the operator.",
        ),
        ProblemKind(
            "merchant_closed",
            (403,),
            "The merchant has left the network",
            "A closed merchant takes part no more.",
            "Talk to the operator.",
        ),
    ),
    "Points": (
        ProblemKind(
            "insufficient_points",
            (422,),
            "The member has too few points",
            "The points that are available do not cover it. What is pending, held or expired is not available.",
            "Ask for at most as many points as `detail` says.",
        ),
        ProblemKind(
            "not_program_merchant",
            (403,),
            "The program belongs to another merchant",
            "Only the merchant of a program may do this with its points.",
            "Use a program of yours; for another's points you need an agreement.",
        ),
        ProblemKind(
            "program_paused",
            (422,),
            "The program is not active",
            "Nothing moves in a program that is pending or paused.",
            "Wait until it is active, or talk to the operator.",
        ),
        ProblemKind(
            "already_expired",
            (422,),
            "The expiry day is not in the future",
            "Points must live until tomorrow at least.",
            "Give a later `expires_on`.",
        ),
        ProblemKind(
            "not_expired",
            (422,),
            "These points have not expired",
            "Fewer points have expired than you want to burn.",
            "Burn what `GET /v1/expirations/due` shows.",
        ),
    ),
    "Holds": (
        ProblemKind(
            "hold_ended",
            (409,),
            "The hold has ended",
            "The hold was captured or released, or its time is over.",
            "Look at its `state`. For more points, make another hold.",
        ),
        ProblemKind(
            "over_hold",
            (422,),
            "The hold is for fewer points",
            "More points are to be captured than the hold set aside.",
            "Capture at most the hold's points.",
        ),
    ),
    "Agreements and quotes": (
        ProblemKind(
            "agreement_not_proposed",
            (409,),
            "The agreement cannot be signed any more",
            "The agreement is active already, or has ended.",
            "Look at its `state`; propose another one if need be.",
        ),
        ProblemKind(
            "agreement_not_live",
            (422,),
            "The agreement is not in force",
            "The agreement is not active, or this is outside the time for which it is valid.",
            "Use the agreement that is in force now: `GET /v1/agreements`.",
        ),
        ProblemKind(
            "wrong_agreement",
            (422,),
            "The agreement is about something else",
            "The agreement is of another kind, or between other programs.",
            "Name the agreement that fits, or only the programs.",
        ),
        ProblemKind(
            "not_initiator",
            (403,),
            "The agreement does not let you start this",
            "Under this agreement only the other side may begin.",
            "Let the other merchant start it, or agree on new terms.",
        ),
        ProblemKind(
            "counterparty_inactive",
            (422,),
            "The other merchant takes part no more for now",
            "The other merchant of the agreement is suspended or has left.",
            "Talk to the other merchant or to the operator.",
        ),
        ProblemKind(
            "over_instruction_cap",
            (422,),
            "Too many points at once",
            "The agreement allows fewer points in one movement.",
            "Make several movements of it, or agree on a higher `max_points`.",
        ),
        ProblemKind(
            "over_daily_cap",
            (422,),
            "The agreement's cap of the day is used up",
            "The points do not fit into what is left of the agreement's `daily_cap`, pending orders counted.",
            "Wait for the next day of the network, or agree on a higher cap.",
        ),
        ProblemKind(
            "below_minimum",
            (422,),
            "It gives fewer points than the minimum",
            "The points buy fewer target points than `min_out`, or not even one.",
            "Exchange more points, or accept a lower `min_out`.",
        ),
        ProblemKind(
            "amount_too_large",
            (422,),
            "The price is too large for the chain",
            "The price of these points does not fit into the chain's 64 bits.",
            "Exchange fewer points at once.",
        ),
        ProblemKind(
            "rate_cycle",
            (422,),
            "The rates would make points out of nothing",
            "With the agreements in force, exchanging in a circle would give back more points than went in.",
            "Lower the rate to what `detail` says, or end one of the other agreements first.",
        ),
        ProblemKind(
            "quote_expired",
            (422,),
            "The quote has expired",
            "A quote holds for a short time only.",
            "Ask for a new one.",
        ),
        ProblemKind(
            "accept_by_passed",
            (422,),
            "It is too late to sign",
            "The terms could be signed until their `accept_by` only.",
            "Propose the terms again, with a later `accept_by`.",
        ),
        ProblemKind(
            "agreement_ended",
            (409,),
            "The agreement has ended",
            "What has ended cannot be ended again.",
            "Nothing needs to be done.",
        ),
        ProblemKind(
            "agreement_ends_earlier",
            (422,),
            "The agreement ends earlier already",
            "A termination can only bring the end closer.",
            "Give an earlier `effective_at`.",
        ),
        ProblemKind(
            "agreement_not_registered",
            (409,),
            "The agreement is not on the chain",
            "Only an agreement that the chain knows can be terminated.",
            "Withdraw a proposal instead; after both signatures, wait for the chain.",
        ),
    ),
    "Signatures": (
        ProblemKind(
            "signature_required",
            (422,),
            "Your signature is needed",
            "You hold the key yourself, so the gateway cannot sign for you.",
            "Sign, and send the signature in the field that `errors` names.",
        ),
        ProblemKind(
            "wrong_signer",
            (422,),
            "The signature does not count",
            "Another key signed than a live key of the merchant, or it signed something other than this request.",
            "Sign exactly what is sent, with the merchant's present key.",
        ),
        ProblemKind(
            "deadline_passed",
            (422,),
            "The deadline has passed",
            "The signed deadline is not in the future.",
            "Sign again with a later deadline.",
        ),
        ProblemKind(
            "deadline_too_far",
            (422,),
            "The deadline is too far away",
            "The signed deadline is later than the gateway accepts.",
            "Sign again with a deadline within the seconds that `detail` says.",
        ),
        ProblemKind(
            "nonce_not_reserved",
            (422,),
            "The nonce was not reserved",
            "The signed nonce is not one that the gateway gave you.",
            "Reserve nonces with `POST /v1/nonces`, and sign with one of them.",
        ),
        ProblemKind(
            "nonce_used",
            (409,),
            "The nonce was used before",
            "Another order with this nonce was accepted.",
            "Sign again with a nonce that you have not used.",
        ),
    ),
    "Member codes": (
        ProblemKind(
            "member_code_invalid",
            (422,),
            "The member code is not valid",
            "The code is unknown, was used or taken back, has run out, or is meant for another merchant.",
            "Ask the member for a new one.",
        ),
        ProblemKind(
            "member_code_required",
            (422,),
            "A member code is needed",
            "The points are another merchant's, so the member must agree first.",
            "Ask the member for a one-time code, and send it as `member_code`.",
        ),
        ProblemKind(
            "member_code_other_program",
            (422,),
            "The member code is for other points",
            "The member's code does not allow points of this program.",
            "Ask the member for a code for this program.",
        ),
        ProblemKind(
            "over_member_code",
            (422,),
            "The member agreed to fewer points",
            "The points are above the ceiling of the member's code.",
            "Ask for fewer points, or for a new code.",
        ),
        ProblemKind(
            "member_code_used",
            (409,),
            "The member code was used",
            "A code that was used cannot be taken back.",
            "Reverse the movement, or release the hold, for which it was used.",
        ),
        ProblemKind(
            "too_many_tries",
            (429,),
            "Too many wrong codes",
            "You have presented too many wrong member codes in a few minutes.",
            "Wait for the seconds in `Retry-After`, then present the member's code again.",
        ),
        ProblemKind(
            "no_program",
            (422,),
            "You have no program",
            "You run no program, so there are no points of yours that a code could be for.",
            "Ask the merchant whose points they are.",
        ),
    ),
    "Reversals and transfers": (
        ProblemKind(
            "unknown_movement",
            (404,),
            "There is no such movement",
            "There is no movement with this id or reference that you may see. A refused one does not count.",
            "Look the movement up, and name it by its id.",
        ),
        ProblemKind(
            "ambiguous_reference",
            (422,),
            "The reference means several movements",
            "You have given this reference to movements of several kinds.",
            "Say which one in `original_kind`.",
        ),
        ProblemKind(
            "not_settled",
            (422,),
            "The movement has not settled",
            "Only what has settled can be undone.",
            "Wait until it has settled. What was rejected needs no reversal.",
        ),
        ProblemKind(
            "not_reversible",
            (422,),
            "The movement cannot be reversed",
            "A reversal cannot itself be reversed.",
            "Make the movement anew.",
        ),
        ProblemKind(
            "not_giver",
            (403,),
            "Another merchant gives this back",
            "Only the merchant that took the points in may give them back.",
            "Ask that merchant to reverse the movement.",
        ),
        ProblemKind(
            "over_reversal",
            (422,),
            "Less is left to undo",
            "Reversals never undo more than the original in total, those on their way included.",
            "Undo at most the points that `detail` says.",
        ),
        ProblemKind(
            "bad_recipient",
            (422,),
            "The recipient is the member itself",
            "A transfer goes to another member.",
            "Name another member.",
        ),
    ),
    "Money": (
        ProblemKind(
            "insufficient_liquidity",
            (422,),
            "The paying merchant cannot pay",
            "Position plus credit limit, less what is pending, do not cover price and fee.",
            "The paying merchant makes a deposit, or the operator raises its credit limit.",
        ),
        ProblemKind(
            "insufficient_position",
            (422,),
            "The position does not cover the withdrawal",
            "Only what is in the position can be withdrawn: neither credit nor what is pending.",
            "Withdraw at most what `detail` says.",
        ),
        ProblemKind(
            "insufficient_funds",
            (422,),
            "The bank does not hold so much",
            "The merchant has earned it, but those who owe it have not paid it in yet.",
            "Withdraw what `detail` says, and the rest later.",
        ),
        ProblemKind(
            "credit_limit_in_use",
            (422,),
            "The credit is in use",
            "The merchant owes more than the new limit would allow.",
            "Set a limit that covers what is in use, or let the merchant pay first.",
        ),
    ),
    "Webhooks": (
        ProblemKind(
            "insecure_url",
            (422,),
            "The URL is not safe",
            "Webhooks go to URLs that begin with https:// only.",
            "Serve your endpoint over HTTPS.",
        ),
        ProblemKind(
            "too_many_endpoints",
            (422,),
            "There are too many webhook endpoints",
            "The merchant has as many endpoints as it may have.",
            "Remove one that you do not use.",
        ),
        ProblemKind(
            "too_many_events",
            (422,),
            "There are too many events to send again",
            "More events have happened since that moment than are sent again at once.",
            "Choose a later moment.",
        ),
        ProblemKind(
            "too_many_streams",
            (429,),
            "Too many streams are open",
            "You listen to as many streams of events as you may at once.",
            "Close one, or wait for the seconds in `Retry-After`; several programs can share one stream.",
        ),
    ),
    "The operator's commands": (
        ProblemKind(
            "order_not_waiting",
            (409,),
            "The order waits for no batch any more",
            "The operator's command would cancel an order that was sent or is final.",
            "Wait for its outcome.",
        ),
    ),
    "The network itself": (
        ProblemKind(
            "refused",
            (422,),
            "The state of the network does not allow it",
            "The request is well-formed, and still it cannot be.",
            "Read `detail`.",
        ),
        ProblemKind(
            "queue_full",
            (503,),
            "Too much is waiting for the chain",
            "The chain takes fewer instructions than merchants hand in just now.",
            "Send it again, with the same `Idempotency-Key`, after the seconds in `Retry-After`.",
        ),
        ProblemKind(
            "database_unavailable",
            (503,),
            "The database is busy",
            "The database did not answer in time. Nothing was done.",
            "Send it again, with the same `Idempotency-Key`, after the seconds in `Retry-After`.",
        ),
        ProblemKind(
            "unavailable",
            (503,),
            "Not now",
            "A part of the network does not answer. Nothing was done.",
            "Send it again, with the same `Idempotency-Key`, after the seconds in `Retry-After`.",
        ),
        ProblemKind(
            "internal_error",
            (500,),
            "The gateway failed",
            "An error of the gateway. What happened to your request is not known.",
            "Send it again with the same `Idempotency-Key`. If it happens again, tell the operator the `request_id`.",
        ),
        ProblemKind(
            "rate_limited",
            (429,),
            "You have asked too often",
            "You have sent more requests of this kind than you may in so short a time.",
            "Send it again, with the same `Idempotency-Key`, after the seconds in `Retry-After`.",
        ),
    ),
}
"""Every kind of problem, by what it is about."""

CATALOGUE = {kind.code: kind for group in GROUPS.values() for kind in group}
"""Every kind of problem, by its code."""


def title_of(code: str) -> str:
    """What a code means, in a few words."""
    kind = CATALOGUE.get(code)
    return kind.title if kind else code.replace("_", " ").capitalize()


def page_of(code: str) -> str:
    """Where the gateway explains a code: a URI reference relative to the gateway, which is the problem document's `type`."""
    return "/problems/" + code.replace("_", "-")
