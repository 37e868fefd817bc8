"""A customer's form whose process is killed: `python -m tests.loyalty.customer_pages.dying_sign_in URL KEY WHEN VISIT PATH TYPED`.

WHEN is `before` the commit, when all has been written, or `after` it, when nothing has been answered.
"""

from __future__ import annotations

import os
import signal
import sys

from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy.orm import Session

from loyalty.app import create_app
from loyalty.kit.database import Database
from loyalty.kit.settings import Settings
from pages import csrf


def main(url: str, key: str, when: str, visit: str, path: str, typed: str) -> None:
    commit = Session.commit

    def dying(self: Session) -> None:
        if when == "after":
            commit(self)
        else:
            self.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    Session.commit = dying  # type: ignore[method-assign]
    http = TestClient(create_app(Database(url), Settings(customer_secret=SecretStr(key))), follow_redirects=False)
    http.cookies.set("loyalty_customer_visit", visit)
    answer = http.post(path, data={csrf.FIELD: csrf.token_for(visit), "code": typed, "phone": typed})
    sys.exit(f"it lives: {answer.status_code} {answer.text}")


if __name__ == "__main__":
    main(*sys.argv[1:])
