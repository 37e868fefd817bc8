"""What happens when somebody opens a friend's link and shows that a phone is theirs: they join, and the friend has brought them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from loyalty.customers.models import IdentifierKind
from loyalty.customers.service import CustomerService, Shown
from loyalty.joining.service import Joiner, JoiningService
from loyalty.kit.errors import Refusal


@dataclass(frozen=True, slots=True)
class Accepted:
    """What became of an invitation. The referral may be refused: whoever opened the link takes part all the same."""

    customer: str
    is_new: bool
    refusal: Refusal | None


class InvitationService:
    """Invitations in one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._customers = CustomerService(session)
        self._joining = JoiningService(session)

    def accept(self, code: str, phone: str, *, device: str, consents: Sequence[tuple[str, str]]) -> Accepted:
        """Has the owner of a phone take part, with what they agree to (purpose and version of the text), and notes who brought
        them."""
        shown = Shown(IdentifierKind.PHONE, phone)
        known = self._customers.known_by(shown)
        customer = known or self._joining.join(Joiner(shown=[shown]), actor="invitation").id
        for purpose, version in consents:
            self._joining.consent(customer, purpose=purpose, text_version=version, is_given=True, actor=customer)
        return Accepted(customer, known is None, self.refer(code, customer, device=device))

    def refer(self, code: str, customer: str, *, device: str) -> Refusal | None:
        """Notes who brought a customer; what is refused, if it is. The device is noted in any case."""
        refusal = None
        try:
            with self._session.begin_nested():
                self._joining.refer(customer, code, actor=customer, device=device)
        except Refusal as error:
            refusal = error
        self._customers.see(self._customers.get(customer), device)
        return refusal
