<%
    def plain(text):
        return "\n".join(line for line in (text or "pass").splitlines() if "# ###" not in line).strip()
%>"""${message[0].upper()}${message[1:]}."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Big, Moment
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    ${plain(upgrades)}


def downgrade() -> None:
    ${plain(downgrades)}
