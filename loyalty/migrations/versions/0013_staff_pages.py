"""What was not booked of till files, and what was decided about refused messages.

Revision 0013, after 0012.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("refused_messages", schema=None) as batch_op:
        batch_op.add_column(sa.Column("state", sa.String(length=16), server_default="open", nullable=False))
        batch_op.add_column(sa.Column("decided_at", Moment(), nullable=True))
        batch_op.add_column(sa.Column("decided_by", sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column("reason", sa.Text(), nullable=True))

    with op.batch_alter_table("till_files", schema=None) as batch_op:
        batch_op.add_column(sa.Column("not_booked", sa.Integer(), server_default="0", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("till_files", schema=None) as batch_op:
        batch_op.drop_column("not_booked")

    with op.batch_alter_table("refused_messages", schema=None) as batch_op:
        batch_op.drop_column("reason")
        batch_op.drop_column("decided_by")
        batch_op.drop_column("decided_at")
        batch_op.drop_column("state")
