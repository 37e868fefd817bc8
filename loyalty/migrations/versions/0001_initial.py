"""Initial: wishes and their orders, checks and differences, keys, audit log, idempotency keys."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Big, Moment

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("actor", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_entries_pkey")),
    )
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.create_index("audit_entries_subject_index", ["subject", "id"], unique=False)

    op.create_table(
        "checks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("looked_until", Moment(), nullable=False),
        sa.Column("wishes", sa.Integer(), nullable=False),
        sa.Column("movements", sa.Integer(), nullable=False),
        sa.Column("found", sa.Integer(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("checks_pkey")),
    )
    op.create_table(
        "differences",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("here", sa.JSON(), nullable=False),
        sa.Column("there", sa.JSON(), nullable=False),
        sa.Column("found_at", Moment(), nullable=False),
        sa.Column("closed_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("differences_pkey")),
    )
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.create_index("differences_code_subject_unique", ["code", "subject"], unique=True)
        batch_op.create_index(
            "differences_open_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        )

    op.create_table(
        "idempotency_records",
        sa.Column("caller", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "key", name=op.f("idempotency_records_pkey")),
    )
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("idempotency_records_created_at_index"), ["created_at"], unique=False)

    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("keys_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("keys_secret_hash_unique")),
    )
    op.create_table(
        "outgoing_orders",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("nonce", Big, nullable=True),
        sa.Column("deadline", Moment(), nullable=True),
        sa.Column("network_order", sa.String(length=40), nullable=True),
        sa.Column("owner", sa.String(length=40), nullable=True),
        sa.Column("leased_until", Moment(), nullable=True),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(length=500), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("outgoing_orders_pkey")),
    )
    with op.batch_alter_table("outgoing_orders", schema=None) as batch_op:
        batch_op.create_index(
            "outgoing_orders_open_index",
            ["due_at"],
            unique=False,
            postgresql_where=sa.text("state <> 'done'"),
            sqlite_where=sa.text("state <> 'done'"),
        )

    op.create_table(
        "wishes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("member", sa.String(length=200), nullable=False),
        sa.Column("points", Big, nullable=False),
        sa.Column("expires_on", sa.Date(), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("original_id", sa.String(length=40), nullable=True),
        sa.Column("retry_of", sa.String(length=40), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("refusal", sa.String(length=80), nullable=True),
        sa.Column("refusal_detail", sa.String(length=500), nullable=True),
        sa.Column("movement", sa.String(length=40), nullable=True),
        sa.Column("leaf", sa.String(length=66), nullable=True),
        sa.Column("tx_hash", sa.String(length=66), nullable=True),
        sa.Column("block_number", Big, nullable=True),
        sa.Column("settled_at", Moment(), nullable=True),
        sa.Column("compared_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("points > 0", name=op.f("wishes_points_check")),
        sa.ForeignKeyConstraint(["order_id"], ["outgoing_orders.id"], name=op.f("wishes_order_id_fkey")),
        sa.ForeignKeyConstraint(["original_id"], ["wishes.id"], name=op.f("wishes_original_id_fkey")),
        sa.ForeignKeyConstraint(["retry_of"], ["wishes.id"], name=op.f("wishes_retry_of_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("wishes_pkey")),
        sa.UniqueConstraint("reference", name=op.f("wishes_reference_unique")),
        sa.UniqueConstraint("retry_of", name=op.f("wishes_retry_of_unique")),
    )
    with op.batch_alter_table("wishes", schema=None) as batch_op:
        batch_op.create_index("wishes_order_index", ["order_id"], unique=False)
        batch_op.create_index("wishes_original_index", ["original_id"], unique=False)
        batch_op.create_index("wishes_state_index", ["state", "id"], unique=False)
        batch_op.create_index(
            "wishes_uncompared_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state = 'settled' AND compared_at IS NULL"),
            sqlite_where=sa.text("state = 'settled' AND compared_at IS NULL"),
        )


def downgrade() -> None:
    with op.batch_alter_table("wishes", schema=None) as batch_op:
        batch_op.drop_index(
            "wishes_uncompared_index",
            postgresql_where=sa.text("state = 'settled' AND compared_at IS NULL"),
            sqlite_where=sa.text("state = 'settled' AND compared_at IS NULL"),
        )
        batch_op.drop_index("wishes_state_index")
        batch_op.drop_index("wishes_original_index")
        batch_op.drop_index("wishes_order_index")

    op.drop_table("wishes")
    with op.batch_alter_table("outgoing_orders", schema=None) as batch_op:
        batch_op.drop_index(
            "outgoing_orders_open_index",
            postgresql_where=sa.text("state <> 'done'"),
            sqlite_where=sa.text("state <> 'done'"),
        )

    op.drop_table("outgoing_orders")
    op.drop_table("keys")
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("idempotency_records_created_at_index"))

    op.drop_table("idempotency_records")
    with op.batch_alter_table("differences", schema=None) as batch_op:
        batch_op.drop_index(
            "differences_open_index",
            postgresql_where=sa.text("closed_at IS NULL"),
            sqlite_where=sa.text("closed_at IS NULL"),
        )
        batch_op.drop_index("differences_code_subject_unique")

    op.drop_table("differences")
    op.drop_table("checks")
    with op.batch_alter_table("audit_entries", schema=None) as batch_op:
        batch_op.drop_index("audit_entries_subject_index")

    op.drop_table("audit_entries")
