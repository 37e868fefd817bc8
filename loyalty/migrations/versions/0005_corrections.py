"""Corrections.

Revision 0005, after 0004.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("wrong_id", sa.String(length=40), nullable=False),
        sa.Column("right_id", sa.String(length=40), nullable=False),
        sa.Column("return_id", sa.String(length=40), nullable=True),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("corrections_return_id_fkey")),
        sa.ForeignKeyConstraint(["right_id"], ["sales.id"], name=op.f("corrections_right_id_fkey")),
        sa.ForeignKeyConstraint(["wrong_id"], ["sales.id"], name=op.f("corrections_wrong_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("corrections_pkey")),
        sa.UniqueConstraint("right_id", name=op.f("corrections_right_id_unique")),
        sa.UniqueConstraint("wrong_id", name=op.f("corrections_wrong_id_unique")),
    )
    # Plain statements: SQLite would copy the table otherwise, and what points to it forbids that.
    op.add_column("sales", sa.Column("place", sa.String(length=40), nullable=False, server_default=""))
    op.execute("UPDATE sales SET place = id")
    op.add_column("sales", sa.Column("replaced_by", sa.String(length=40), nullable=True))


def downgrade() -> None:
    op.drop_column("sales", "replaced_by")
    op.drop_column("sales", "place")
    op.drop_table("corrections")
