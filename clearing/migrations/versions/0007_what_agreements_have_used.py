"""What agreements have used of their daily caps

Revision 0007, after 0006.
"""

import sqlalchemy as sa
from alembic import op

from clearing.kit.database import Big

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "agreement_uses",
        sa.Column("agreement", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.PrimaryKeyConstraint("agreement", "day", name=op.f("pk_agreement_uses")),
    )


def downgrade() -> None:
    op.drop_table("agreement_uses")
