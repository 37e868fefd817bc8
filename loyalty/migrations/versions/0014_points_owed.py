"""Points owed.

Revision 0014, after 0013.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Big, Moment

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "debts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("member", sa.String(length=200), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("wish_id", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("points", Big, nullable=False),
        sa.Column("owed", Big, nullable=False),
        sa.Column("written_off", Big, nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint(
            "points > 0 AND written_off >= 0 AND owed >= 0 AND owed + written_off <= points",
            name=op.f("debts_points_check"),
        ),
        sa.ForeignKeyConstraint(["wish_id"], ["wishes.id"], name=op.f("debts_wish_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("debts_pkey")),
    )
    with op.batch_alter_table("debts", schema=None) as batch_op:
        batch_op.create_index("debts_member_index", ["member", "id"], unique=False)
        batch_op.create_index(
            "debts_open_index",
            ["member", "program", "id"],
            unique=False,
            postgresql_where=sa.text("owed > 0"),
            sqlite_where=sa.text("owed > 0"),
        )
        batch_op.create_index("debts_wish_index", ["wish_id"], unique=False)

    op.create_table(
        "set_offs",
        sa.Column("wish_id", sa.String(length=40), nullable=False),
        sa.Column("debt_id", sa.String(length=40), nullable=False),
        sa.Column("points", Big, nullable=False),
        sa.Column("undone", Big, nullable=False),
        sa.CheckConstraint("points > 0 AND undone >= 0 AND undone <= points", name=op.f("set_offs_points_check")),
        sa.ForeignKeyConstraint(["debt_id"], ["debts.id"], name=op.f("set_offs_debt_id_fkey")),
        sa.ForeignKeyConstraint(["wish_id"], ["wishes.id"], name=op.f("set_offs_wish_id_fkey")),
        sa.PrimaryKeyConstraint("wish_id", "debt_id", name=op.f("set_offs_pkey")),
    )
    with op.batch_alter_table("set_offs", schema=None) as batch_op:
        batch_op.create_index("set_offs_debt_index", ["debt_id"], unique=False)

    whole = "INTEGER" if op.get_bind().dialect.name == "sqlite" else "BIGINT"
    op.execute(
        f"ALTER TABLE wishes ADD COLUMN set_off {whole} NOT NULL DEFAULT 0 "
        "CONSTRAINT wishes_set_off_check CHECK (set_off BETWEEN 0 AND points)"
    )


def downgrade() -> None:
    op.drop_table("set_offs")
    op.drop_table("debts")
    op.execute("ALTER TABLE wishes DROP COLUMN set_off")
