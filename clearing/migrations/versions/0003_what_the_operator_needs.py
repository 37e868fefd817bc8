"""What the operator needs: quarantined events, earlier versions of transactions, switches

Revision 0003, after 0002.
"""

import sqlalchemy as sa
from alembic import op

from clearing.kit.database import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "quarantined_events",
        sa.Column("block_number", _BIG, autoincrement=False, nullable=False),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=True),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("pk_quarantined_events")),
    )
    op.create_table(
        "transaction_attempts",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_id", _BIG, nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("fk_transaction_attempts_transaction_id_transactions")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_transaction_attempts")),
    )
    op.create_index(op.f("ix_transaction_attempts_transaction_id"), "transaction_attempts", ["transaction_id"])
    op.create_table(
        "switches",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_switches")),
    )


def downgrade() -> None:
    for table in ("switches", "transaction_attempts", "quarantined_events"):
        op.drop_table(table)
