"""What the workers remember

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from clearing.kit.database import Big, Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "expiry_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_expiry_marks")),
    )
    op.create_table(
        "expiry_reminders",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("expiry_day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("days_ahead", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("address", "program", "expiry_day", "days_ahead", name=op.f("pk_expiry_reminders")),
    )
    op.create_table(
        "liquidity_levels",
        sa.Column("merchant_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("liquidity", Big(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("fk_liquidity_levels_merchant_number_merchants")
        ),
        sa.PrimaryKeyConstraint("merchant_number", name=op.f("pk_liquidity_levels")),
    )
    op.create_table(
        "statements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opening", Big(), nullable=False),
        sa.Column("closing", Big(), nullable=False),
        sa.Column("deposited", Big(), nullable=False),
        sa.Column("withdrawn", Big(), nullable=False),
        sa.Column("lines", sa.JSON(), nullable=False),
        sa.Column("last_block", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("last_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("fk_statements_merchant_number_merchants")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements")),
        sa.UniqueConstraint("merchant_number", "day", name=op.f("uq_statements_merchant_number_day")),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_statements_day"), ["day"], unique=False)

    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_blocks_timestamp"), ["timestamp"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_blocks_timestamp"))

    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_statements_day"))

    op.drop_table("statements")
    op.drop_table("liquidity_levels")
    op.drop_table("expiry_reminders")
    op.drop_table("expiry_marks")
