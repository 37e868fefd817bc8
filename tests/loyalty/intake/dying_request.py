"""A programme that dies around a commit: `python -m tests.loyalty.intake.dying_request URL SECRET WHEN`, with the body as input.

WHEN is `before` or `after` the commit of the request. The process ends with `os._exit`: nothing is tidied up, nobody is answered.
"""

from __future__ import annotations

import json
import os
import sys

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from loyalty.app import create_app
from loyalty.kit.database import Database

DIED = 77
KEY = "the-one-request"


def main(url: str, secret: str, when: str) -> None:
    commit = Session.commit

    def dying(session: Session) -> None:
        if when == "after":
            commit(session)
        os._exit(DIED)

    Session.commit = dying  # type: ignore[method-assign]
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": KEY}
    answer = TestClient(create_app(Database(url))).post("/v1/sales/bulk", json=json.load(sys.stdin), headers=headers)
    print(answer.text, file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
