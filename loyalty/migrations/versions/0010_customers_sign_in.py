"""Customers sign in, and attempts have a table of their own."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("attempts_pkey")),
    )
    op.create_table(
        "customer_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("identifier_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("customer_sessions_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("customer_sessions_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("customer_sessions_secret_hash_unique")),
    )
    with op.batch_alter_table("customer_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("customer_sessions_customer_id_index"), ["customer_id"], unique=False)

    op.create_table(
        "sign_in_codes",
        sa.Column("browser_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("identifier_id", sa.String(length=40), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("sign_in_codes_customer_id_fkey")),
        sa.PrimaryKeyConstraint("browser_hash", name=op.f("sign_in_codes_pkey")),
    )
    op.drop_table("failed_sign_ins")
    with op.batch_alter_table("wishes", schema=None) as batch_op:
        batch_op.create_index(
            "wishes_open_member_index",
            ["member"],
            unique=False,
            postgresql_where=sa.text("state IN ('waiting', 'sending', 'refused')"),
            sqlite_where=sa.text("state IN ('waiting', 'sending', 'refused')"),
        )


def downgrade() -> None:
    with op.batch_alter_table("wishes", schema=None) as batch_op:
        batch_op.drop_index(
            "wishes_open_member_index",
            postgresql_where=sa.text("state IN ('waiting', 'sending', 'refused')"),
            sqlite_where=sa.text("state IN ('waiting', 'sending', 'refused')"),
        )

    op.create_table(
        "failed_sign_ins",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("failed_sign_ins_pkey")),
    )
    op.drop_table("sign_in_codes")
    with op.batch_alter_table("customer_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("customer_sessions_customer_id_index"))

    op.drop_table("customer_sessions")
    op.drop_table("attempts")
