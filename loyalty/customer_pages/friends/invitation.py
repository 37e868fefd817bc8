"""What a friend sees who opens the link: the code, and what to do with it. It tells nobody whose it is."""

from __future__ import annotations

from fastapi.responses import Response

from loyalty.customer_pages.visit import Visiting, page_router
from loyalty.kit.errors import Unknown
from loyalty.referrals.service import ReferralService

router = page_router("/invitation")


@router.get("/{code}")
def invitation(visit: Visiting, code: str) -> Response:
    """The code, for the counter. Raises Unknown if nobody hands it on."""
    referrals = ReferralService(visit.session)
    if not referrals.is_code(code):
        raise Unknown("unknown_referral_code", "nobody has this code: ask your friend for it again")
    return visit.page("friends/invitation.html", code=code.strip().upper(), scheme=referrals.in_force())
