"""The exceptions that the SDK raises on purpose, and how an error response becomes one of them.

One is missing here: `RejectedError` holds movements, so it stands beside them in `_models`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx


class TongduiError(Exception):
    """Base of every exception that the SDK raises on purpose.

    ```
    TongduiError
    ├── APIError                          the gateway answered with an error (`code` says which)
    │   ├── BadRequestError               400
    │   ├── AuthenticationError           401
    │   │   └── SecondFactorRequiredError     the password is right; a one-time code is needed, too
    │   ├── ForbiddenError                403: the scope, the role, or a program that is not yours
    │   ├── NotFoundError                 404
    │   ├── ConflictError                 409
    │   │   ├── DuplicateReferenceError       the reference was used before
    │   │   ├── IdempotencyInFlightError      the first request with this key is still running
    │   │   └── NonceUsedError                the nonce was used before
    │   ├── UnprocessableError            422: understood and refused
    │   │   ├── ValidationError               a field is wrong; `errors` points at it
    │   │   ├── IdempotencyKeyReusedError     same key, different body
    │   │   ├── InsufficientPointsError       the member has too few points
    │   │   ├── InsufficientLiquidityError    the paying merchant's position and credit limit do not cover it
    │   │   ├── IssuanceCapError              the program may not issue so many points today
    │   │   ├── AgreementError                not live, wrong one, over a cap, below the minimum, opens a cycle
    │   │   ├── MemberCodeError               the member's code is not live, or does not allow this
    │   │   ├── QuoteExpiredError             the quote has expired
    │   │   └── AuthorizationError            the order's signature, signer or deadline
    │   ├── RateLimitedError              429
    │   └── ServerError                   5xx
    │       └── UnavailableError              502, 503, 504
    ├── APIConnectionError                no answer: refused, reset, DNS, TLS
    │   ├── APITimeoutError               no answer in time
    │   └── OutcomeUnknownError           no answer to what is sent only once, such as a sign-in (`advice` says what to do)
    ├── RejectedError                     the chain rejected a movement, or its deadline passed (`reason` says why)
    ├── PendingError                      a final state was needed and has not been reached
    ├── SigningError                      an order cannot be built or signed on this machine
    ├── VerificationError                 something does not prove what it claims (`check` says which check failed)
    └── TillError                         a till export cannot be read at all
    ```
    """


@dataclass(frozen=True, slots=True)
class FieldError:
    """What is wrong with one field of a request's body, or with one parameter beside it.

    Attributes:
        pointer: JSON pointer into the body, such as `/instructions/3/reference`; empty for a parameter.
        detail: What is wrong with it.
        parameter: Name of the query parameter, path parameter or header; None for a field of the body.
    """

    pointer: str
    detail: str
    parameter: str | None = None


class APIError(TongduiError):
    """The gateway refused the request, or failed.

    Attributes:
        status: The HTTP status.
        code: The stable, machine-readable code of the problem.
        title: The kind of problem, in a few words.
        detail: What is wrong with this request.
        errors: The fields at fault.
        request_id: Identifies the request to the operator.
        retry_after: Seconds to wait before the next attempt, if the gateway named them.
        type: URL of a page of the gateway that explains the code and says what to do; empty if there is none.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        title: str = "",
        detail: str = "",
        errors: Sequence[FieldError] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
        type: str = "",  # noqa: A002
    ) -> None:
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after = retry_after
        self.type = type
        super().__init__(self._summary())

    def _summary(self) -> str:
        lines = [f"{self.code} ({self.status}): {self.detail or self.title}"]
        lines += [f"  {error.pointer or error.parameter or 'body'}: {error.detail}" for error in self.errors]
        if self.request_id:
            lines.append(f"  request id: {self.request_id}")
        return "\n".join(lines)

    @property
    def is_retryable(self) -> bool:
        """Whether the same request may succeed a little later, with the same Idempotency-Key."""
        if self.code in {"too_many_sign_ins", "oidc_unavailable"}:
            return False  # the person who signs in should hear of it now
        if self.code == "read_too_slow":
            return False  # it would be as slow again: ask for less
        return self.status in {429, 502, 503, 504} or self.code == "idempotency_in_flight"

    @property
    def is_of_proxy(self) -> bool:
        """Whether it is the word of a server in between, which says nothing about what the gateway has done."""
        return self.code in {"http_502", "http_503", "http_504"}


class BadRequestError(APIError):
    """400: the request is malformed."""


class AuthenticationError(APIError):
    """401: no API key, or one that is unknown or revoked."""


class SecondFactorRequiredError(AuthenticationError):
    """The address and the password are right. Sign in again with a one-time code, or a recovery code, as well."""


class ForbiddenError(APIError):
    """403: the API key may not do this: scope, role, or another merchant's program."""


class NotFoundError(APIError):
    """404: unknown member, program, agreement, or anything else."""


class ConflictError(APIError):
    """409: the request contradicts what exists already."""


class DuplicateReferenceError(ConflictError):
    """The merchant has used the reference for another movement; `errors` points at each such instruction."""


class IdempotencyInFlightError(ConflictError):
    """The first request with this Idempotency-Key is still running."""


class NonceUsedError(ConflictError):
    """The nonce was used by another order."""


class UnprocessableError(APIError):
    """422: understood and refused. The refusal is final for its Idempotency-Key."""


class ValidationError(UnprocessableError):
    """A field is missing or wrong; `errors` points at it."""


class IdempotencyKeyReusedError(UnprocessableError):
    """The Idempotency-Key was used with a different body."""


class InsufficientPointsError(UnprocessableError):
    """The member's available points do not cover the movement."""


class InsufficientLiquidityError(UnprocessableError):
    """The paying merchant's position plus credit limit does not cover the settlement and the fee."""


class IssuanceCapError(UnprocessableError):
    """The points do not fit into what is left of the program's issuance cap for today."""


class AgreementError(UnprocessableError):
    """The agreement does not allow the movement: not live, wrong one, over a cap or below the minimum.

    Or the agreement itself cannot be: its exchanges would make points (`rate_cycle`), its `accept_by` has passed, or a
    termination would not move its end closer.
    """


class MemberCodeError(UnprocessableError):
    """The member's code is unknown, used or expired, or the member has not agreed to this with it."""


class QuoteExpiredError(UnprocessableError):
    """The quote has expired; ask for a new one."""


class AuthorizationError(UnprocessableError):
    """The order's signature, signer or deadline is not acceptable."""


class RateLimitedError(APIError):
    """429: too many requests."""


class ServerError(APIError):
    """5xx: the gateway failed."""


class UnavailableError(ServerError):
    """502, 503 or 504: the gateway or the chain behind it is unavailable now; nothing was recorded."""


class APIConnectionError(TongduiError):
    """No answer came: connection refused or reset, name not found, TLS failed. The request may have been carried out."""


class APITimeoutError(APIConnectionError):
    """No answer came in time. The request may have been carried out: retry it with the same Idempotency-Key."""


class OutcomeUnknownError(APIConnectionError):
    """No answer came to a request that is sent only once: without a key, the gateway would not recognise it if it came again.
    Or the gateway does not know itself what became of it, because its database was busy.

    Whether it was carried out is unknown.

    Attributes:
        advice: What to do now, in one or two sentences.
    """

    def __init__(self, what: str, advice: str) -> None:
        self.advice = advice
        super().__init__(f"{what}. Whether it was carried out is unknown, and it was not sent again. {advice}")


class PendingError(TongduiError):
    """The movement or order is not final yet: wait longer (`wait=`) or fetch it again later."""


class SigningError(TongduiError):
    """An order cannot be built or signed on this machine; the message says what is missing."""


class VerificationError(TongduiError):
    """Something does not prove what it claims.

    Attributes:
        check: The check that failed: `leaf`, `proof`, `root`, `contract`, `chain_id`, `terms.rate_num`, ...
        expected: What should have been there.
        found: What was there.
    """

    def __init__(self, check: str, message: str, *, expected: object = None, found: object = None) -> None:
        self.check = check
        self.expected = expected
        self.found = found
        compared = "" if expected is None and found is None else f" (expected {expected}, found {found})"
        super().__init__(f"{check}: {message}{compared}")


class TillError(TongduiError):
    """A till export, or the mapping that describes it, cannot be read at all."""


_BY_CODE: dict[str, type[APIError]] = {
    "duplicate_reference": DuplicateReferenceError,
    "second_factor_required": SecondFactorRequiredError,
    "idempotency_in_flight": IdempotencyInFlightError,
    "nonce_used": NonceUsedError,
    "validation_failed": ValidationError,
    "idempotency_key_reused": IdempotencyKeyReusedError,
    "insufficient_points": InsufficientPointsError,
    "insufficient_liquidity": InsufficientLiquidityError,
    "over_issuance_cap": IssuanceCapError,
    "quote_expired": QuoteExpiredError,
    **dict.fromkeys(
        (
            "agreement_not_live",
            "wrong_agreement",
            "over_instruction_cap",
            "over_daily_cap",
            "below_minimum",
            "rate_cycle",
            "accept_by_passed",
            "agreement_ends_earlier",
        ),
        AgreementError,
    ),
    **dict.fromkeys(("member_code_invalid", "member_code_other_program", "over_member_code"), MemberCodeError),
    **dict.fromkeys(("wrong_signer", "signature_required", "deadline_passed", "deadline_too_far"), AuthorizationError),
}

_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    422: UnprocessableError,
    429: RateLimitedError,
    502: UnavailableError,
    503: UnavailableError,
    504: UnavailableError,
}


def error_of(response: httpx.Response) -> APIError:
    """Choose the exception for an error response.

    Args:
        response: A response without success. If it is not a problem document, its text becomes the detail.

    Returns:
        The exception for its `code`, or else for its status.
    """
    problem = _problem(response)
    status = response.status_code
    code = str(problem.get("code") or f"http_{status}")
    fallback = ServerError if status >= 500 else APIError
    by_status = _BY_STATUS.get(status, fallback)
    by_code = _BY_CODE.get(code, by_status)
    return (by_code if issubclass(by_code, by_status) else by_status)(
        status=status,
        code=code,
        title=str(problem.get("title") or response.reason_phrase),
        detail=str(problem.get("detail") or ""),
        errors=_field_errors(problem.get("errors")),
        request_id=problem.get("request_id") or response.headers.get("Request-Id"),
        retry_after=_seconds(response.headers.get("Retry-After")),
        type=str(response.url.join(str(problem["type"]))) if problem.get("type") else "",
    )


def _problem(response: httpx.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {"detail": response.text[:200]}
    return body if isinstance(body, dict) else {}


def _field_errors(found: object) -> tuple[FieldError, ...]:
    if not isinstance(found, list):
        return ()
    return tuple(
        FieldError(str(error.get("pointer", "")), str(error.get("detail", "")), error.get("parameter"))
        for error in found
        if isinstance(error, dict)
    )


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a Retry-After header. Its HTTP-date form is rare, so our own backoff does for it."""
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None
