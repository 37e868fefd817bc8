"""A request whose process is killed: `python -m tests.loyalty.dying_request URL WHEN SECRET KEY PATH BODY`.

WHEN is `before` the commit, when all has been written, or `after` it, when nothing has been answered.
"""

from __future__ import annotations

import os
import signal
import sys

from fastapi.testclient import TestClient
from sqlalchemy.orm import Session

from loyalty.app import create_app
from loyalty.kit.database import Database


def main(url: str, when: str, secret: str, key: str, path: str, body: str) -> None:
    commit = Session.commit

    def dying(self: Session) -> None:
        if when == "after":
            commit(self)
        else:
            self.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    Session.commit = dying  # type: ignore[method-assign]
    headers = {"Authorization": f"Bearer {secret}", "Idempotency-Key": key, "Content-Type": "application/json"}
    answer = TestClient(create_app(Database(url))).post(path, content=body, headers=headers)
    sys.exit(f"it lives: {answer.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
