"""Invitations.

Revision 0015, after 0014.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    with op.batch_alter_table("sign_in_codes", schema=None) as batch_op:
        batch_op.add_column(sa.Column("invited_phone", sa.String(length=40), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("sign_in_codes", schema=None) as batch_op:
        batch_op.drop_column("invited_phone")
