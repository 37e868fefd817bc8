"""What a customer can agree to, with what they have said to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loyalty.customer_pages.visit import Visit
from loyalty.customers.consent_texts import ConsentText
from loyalty.customers.models import Consent
from loyalty.customers.service import CustomerService


@dataclass(frozen=True, slots=True)
class Purpose:
    """One purpose: the text of now, if there is one, and the customer's last word, if there was one."""

    name: str
    text: ConsentText | None
    said: Consent | None

    @property
    def is_given(self) -> bool:
        """Whether the customer agrees."""
        return self.said is not None and self.said.is_given

    @property
    def is_older(self) -> bool:
        """Whether what was agreed to was another text than the one of now."""
        return (
            self.is_given
            and self.text is not None
            and self.said is not None
            and self.said.text_version != self.text.version
        )

    @property
    def version(self) -> str:
        """Which text is agreed to or withdrawn now."""
        if self.said is not None and (self.is_given or self.text is None):
            return self.said.text_version
        assert self.text is not None, "a purpose has a text or was spoken of before"
        return self.text.version


def purposes_of(visit: Visit) -> Sequence[Purpose]:
    """All purposes: those that the programme asks for, and those to which the customer has said something before."""
    words = {one.purpose: one for one in CustomerService(visit.session).consents_of(visit.customer)}
    texts = {one.purpose: one for one in visit.parts.consents}
    return [Purpose(name, texts.get(name), words.get(name)) for name in [*texts, *sorted(words.keys() - texts)]]


def is_offered(visit: Visit, purpose: str, version: str, *, is_given: bool) -> bool:
    """Whether the page offers this: to agree to the text of now, or to withdraw what was agreed to."""
    if is_given:
        return any((one.purpose, one.version) == (purpose, version) for one in visit.parts.consents)
    return any(one.is_given and (one.name, one.version) == (purpose, version) for one in purposes_of(visit))
