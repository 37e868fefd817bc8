"""Holds

Revision 0004, after 0003.
"""

import sqlalchemy as sa
from alembic import op

from clearing.kit.database import Big, Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")
_OVER = sa.text("state = 'pending' AND purpose = 'expiry'")
_EXPIRE = sa.text("kind = 7")


def upgrade() -> None:
    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("captured", Big(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("movement_id", sa.String(length=40), nullable=True),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("fk_holds_member_id_members")),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("fk_holds_merchant_number_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(
            "ix_holds_due",
            ["expires_at"],
            unique=False,
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        )
        batch_op.create_index(batch_op.f("ix_holds_member_id"), ["member_id"], unique=False)
        batch_op.create_index("ix_holds_merchant", ["merchant_number", "id"], unique=False)
        batch_op.create_index(batch_op.f("ix_holds_order_id"), ["order_id"], unique=False)
        batch_op.create_index(
            "ix_holds_pending",
            ["address", "program"],
            unique=False,
            postgresql_where=_PENDING,
            sqlite_where=_PENDING,
        )
        batch_op.create_index(
            "uq_holds_expiry",
            ["address", "program"],
            unique=True,
            postgresql_where=_OVER,
            sqlite_where=_OVER,
        )

    with op.batch_alter_table("instructions", schema=None) as batch_op:
        batch_op.create_index(
            "ix_instructions_expire",
            ["address", "program"],
            unique=False,
            postgresql_where=_EXPIRE,
            sqlite_where=_EXPIRE,
        )


def downgrade() -> None:
    with op.batch_alter_table("instructions", schema=None) as batch_op:
        batch_op.drop_index("ix_instructions_expire", postgresql_where=_EXPIRE, sqlite_where=_EXPIRE)

    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_holds_expiry",
            postgresql_where=_OVER,
            sqlite_where=_OVER,
        )
        batch_op.drop_index("ix_holds_pending", postgresql_where=_PENDING, sqlite_where=_PENDING)
        batch_op.drop_index(batch_op.f("ix_holds_order_id"))
        batch_op.drop_index("ix_holds_merchant")
        batch_op.drop_index(batch_op.f("ix_holds_member_id"))
        batch_op.drop_index("ix_holds_due", postgresql_where=_PENDING, sqlite_where=_PENDING)

    op.drop_table("holds")
