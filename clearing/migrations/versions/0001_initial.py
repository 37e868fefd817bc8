"""Initial.

Revision 0001.
"""

import sqlalchemy as sa
from alembic import op

from clearing.kit.database import Big, Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("posted", Big(), nullable=False),
        sa.Column("reserved", Big(), nullable=False),
        sa.Column("expiring", Big(), nullable=False),
        sa.Column("due_on", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("address", "program", name=op.f("accounts_pkey")),
        postgresql_with={"fillfactor": 70},
    )
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.create_index(
            "accounts_due_index",
            ["due_on", "program", "address"],
            unique=False,
            postgresql_where=sa.text("due_on < 2147483646"),
            sqlite_where=sa.text("due_on < 2147483646"),
        )
        batch_op.create_index(batch_op.f("accounts_program_index"), ["program"], unique=False)

    op.create_table(
        "agreement_uses",
        sa.Column("agreement", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.PrimaryKeyConstraint("agreement", "day", name=op.f("agreement_uses_pkey")),
    )
    op.create_table(
        "batches",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(length=32), nullable=False),
        sa.Column("head", sa.LargeBinary(length=32), nullable=False),
        sa.Column("entries", sa.Integer(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("gas_used", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("batches_pkey")),
    )
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("batches_block_number_index"), ["block_number"], unique=False)

    op.create_table(
        "blocks",
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("parent_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("timestamp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("blocks_pkey")),
    )
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("blocks_timestamp_index"), ["timestamp"], unique=False)

    op.create_table(
        "chain_events",
        sa.Column(
            "block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("undo", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("chain_events_pkey")),
    )
    op.create_table(
        "daily_totals",
        sa.Column("merchant", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("counterparty", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("program", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reversed_kind", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("flow", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entries", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("micros", Big(), nullable=False),
        sa.Column("fees", Big(), nullable=False),
        sa.PrimaryKeyConstraint(
            "merchant",
            "counterparty",
            "day",
            "program",
            "kind",
            "reversed_kind",
            "flow",
            name=op.f("daily_totals_pkey"),
        ),
    )
    with op.batch_alter_table("daily_totals", schema=None) as batch_op:
        batch_op.create_index(
            "daily_totals_ever_index",
            ["merchant", "program"],
            unique=False,
            postgresql_where=sa.text("day = 0"),
            sqlite_where=sa.text("day = 0"),
        )

    op.create_table(
        "entries",
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("leaf", sa.LargeBinary(length=32), nullable=False),
        sa.Column("merchant", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("expiry_day", sa.Integer(), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("out", Big(), nullable=False),
        sa.Column("settled", Big(), nullable=False),
        sa.Column("fee", Big(), nullable=False),
        sa.Column("ref", sa.LargeBinary(length=32), nullable=False),
        sa.Column("link", sa.LargeBinary(length=32), nullable=False),
        sa.Column("block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("batch", "index", name=op.f("entries_pkey")),
        sa.UniqueConstraint("leaf", name=op.f("entries_leaf_unique")),
    )
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.create_index("entries_address_index", ["address", "batch", "index"], unique=False)
        batch_op.create_index(
            "entries_agreement_index",
            ["agreement", "batch", "index"],
            unique=False,
            postgresql_where=sa.text("agreement > 0"),
            sqlite_where=sa.text("agreement > 0"),
        )
        batch_op.create_index(batch_op.f("entries_block_number_index"), ["block_number"], unique=False)
        batch_op.create_index(
            "entries_expiry_day_index",
            ["expiry_day", "address"],
            unique=False,
            postgresql_where=sa.text("expiry_day > 0"),
            sqlite_where=sa.text("expiry_day > 0"),
        )
        batch_op.create_index("entries_instruction_unique", ["merchant", "nonce", "item"], unique=True)
        batch_op.create_index(
            "entries_link_index",
            ["link", "batch", "index"],
            unique=False,
            postgresql_where=sa.text("kind IN (5, 6)"),
            sqlite_where=sa.text("kind IN (5, 6)"),
        )
        batch_op.create_index("entries_program_index", ["program", "batch", "index"], unique=False)
        batch_op.create_index(
            "entries_transfer_index",
            ["address", "program"],
            unique=False,
            postgresql_where=sa.text("kind = 5"),
            sqlite_where=sa.text("kind = 5"),
        )

    op.create_table(
        "event_cursors",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("event_cursors_pkey")),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=66), nullable=False),
        sa.Column("actor", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=True),
        sa.Column("stored", sa.JSON(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("audited", sa.Boolean(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("events_pkey")),
        sa.UniqueConstraint("id", name=op.f("events_id_unique")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(
            "events_audit_actor_index",
            ["actor", "created_at", "seq"],
            unique=False,
            postgresql_where=sa.text("audited"),
            sqlite_where=sa.text("audited"),
        )
        batch_op.create_index(
            "events_audit_page_index",
            ["created_at", "seq"],
            unique=False,
            postgresql_where=sa.text("audited"),
            sqlite_where=sa.text("audited"),
        )
        batch_op.create_index(
            "events_audit_subject_index",
            ["subject", "created_at", "seq"],
            unique=False,
            postgresql_where=sa.text("audited"),
            sqlite_where=sa.text("audited"),
        )
        batch_op.create_index(
            "events_audit_type_index",
            ["type", "created_at", "seq"],
            unique=False,
            postgresql_where=sa.text("audited"),
            sqlite_where=sa.text("audited"),
        )
        batch_op.create_index("events_merchant_page_index", ["merchant_number", "seq"], unique=False)
        batch_op.create_index("events_merchant_type_index", ["merchant_number", "type", "seq"], unique=False)
        batch_op.create_index(
            "events_network_type_index",
            ["type", "seq"],
            unique=False,
            postgresql_where=sa.text("merchant_number IS NULL"),
            sqlite_where=sa.text("merchant_number IS NULL"),
        )
        batch_op.create_index("events_subject_index", ["subject", "seq"], unique=False)

    op.create_table(
        "expiry_marks",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=42), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("expiry_marks_pkey")),
    )
    op.create_table(
        "expiry_reminders",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("expiry_day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("days_ahead", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("address", "program", "expiry_day", "days_ahead", name=op.f("expiry_reminders_pkey")),
    )
    with op.batch_alter_table("expiry_reminders", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("expiry_reminders_created_at_index"), ["created_at"], unique=False)

    op.create_table(
        "failures",
        sa.Column("daemon", sa.String(length=40), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("daemon", name=op.f("failures_pkey")),
    )
    op.create_table(
        "idempotency_records",
        sa.Column("principal", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("location", sa.String(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("principal", "key", name=op.f("idempotency_records_pkey")),
    )
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("idempotency_records_created_at_index"), ["created_at"], unique=False)

    op.create_table(
        "instructions",
        sa.Column(
            "order_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.Integer(), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("min_out", Big(), nullable=False),
        sa.Column("expiry_day", sa.Integer(), nullable=False),
        sa.Column("link", sa.LargeBinary(length=32), nullable=False),
        sa.Column("ref", sa.LargeBinary(length=32), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("target_program", sa.Integer(), nullable=False),
        sa.Column("giver", sa.Integer(), nullable=True),
        sa.Column("receiver", sa.Integer(), nullable=True),
        sa.Column("recipient_id", sa.String(length=40), nullable=True),
        sa.Column("original_id", sa.String(length=40), nullable=True),
        sa.Column("draws_address", sa.String(length=42), nullable=True),
        sa.Column("draws_program", sa.Integer(), nullable=True),
        sa.Column("reserves", Big(), nullable=False),
        sa.Column("payer", sa.Integer(), nullable=True),
        sa.Column("pays", Big(), nullable=False),
        sa.Column("uses", Big(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("refused", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("order_seq", "item", name=op.f("instructions_pkey")),
        sa.UniqueConstraint("id", name=op.f("instructions_id_unique")),
    )
    with op.batch_alter_table("instructions", schema=None) as batch_op:
        batch_op.create_index(
            "instructions_agreement_index",
            ["agreement", "kind", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("agreement > 0"),
            sqlite_where=sa.text("agreement > 0"),
        )
        batch_op.create_index(
            "instructions_dead_reference_index",
            ["reference"],
            unique=False,
            postgresql_where=sa.text("NOT live AND reference IS NOT NULL"),
            sqlite_where=sa.text("NOT live AND reference IS NOT NULL"),
        )
        batch_op.create_index(
            "instructions_live_reference_unique",
            ["reference", "merchant_number", "kind"],
            unique=True,
            postgresql_where=sa.text("live AND reference IS NOT NULL"),
            sqlite_where=sa.text("live AND reference IS NOT NULL"),
        )
        batch_op.create_index("instructions_member_index", ["member_id", "order_seq", "item"], unique=False)
        batch_op.create_index(
            "instructions_original_index",
            ["original_id"],
            unique=False,
            postgresql_where=sa.text("original_id IS NOT NULL"),
            sqlite_where=sa.text("original_id IS NOT NULL"),
        )
        batch_op.create_index("instructions_program_index", ["program", "kind", "order_seq", "item"], unique=False)
        batch_op.create_index(
            "instructions_recipient_index",
            ["recipient_id"],
            unique=False,
            postgresql_where=sa.text("recipient_id IS NOT NULL"),
            sqlite_where=sa.text("recipient_id IS NOT NULL"),
        )
        batch_op.create_index(
            "instructions_refused_agreement_index",
            ["agreement", "kind", "refused", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("refused IS NOT NULL AND agreement > 0"),
            sqlite_where=sa.text("refused IS NOT NULL AND agreement > 0"),
        )
        batch_op.create_index(
            "instructions_refused_index",
            ["refused", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("refused IS NOT NULL"),
            sqlite_where=sa.text("refused IS NOT NULL"),
        )
        batch_op.create_index(
            "instructions_refused_program_index",
            ["program", "kind", "refused", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("refused IS NOT NULL"),
            sqlite_where=sa.text("refused IS NOT NULL"),
        )
        batch_op.create_index(
            "instructions_reversal_giver_index",
            ["giver", "program", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("kind = 6"),
            sqlite_where=sa.text("kind = 6"),
        )
        batch_op.create_index(
            "instructions_reversal_receiver_index",
            ["receiver", "program", "order_seq", "item"],
            unique=False,
            postgresql_where=sa.text("kind = 6"),
            sqlite_where=sa.text("kind = 6"),
        )
        batch_op.create_index(
            "instructions_taking_back_index",
            ["draws_address", "draws_program"],
            unique=False,
            postgresql_where=sa.text("kind = 6"),
            sqlite_where=sa.text("kind = 6"),
        )

    op.create_table(
        "lot_checkpoint_cursor",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("lot_checkpoint_cursor_pkey")),
    )
    op.create_table(
        "lot_checkpoints",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("last_batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("lots", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("address", name=op.f("lot_checkpoints_pkey")),
    )
    with op.batch_alter_table("lot_checkpoints", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("lot_checkpoints_last_batch_index"), ["last_batch"], unique=False)

    op.create_table(
        "lot_draws",
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("taken", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("batch", "index", name=op.f("lot_draws_pkey")),
    )
    op.create_table(
        "mails",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("answer", sa.String(length=300), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("mails_pkey")),
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("mails_about_index"), ["about"], unique=False)
        batch_op.create_index(batch_op.f("mails_created_at_index"), ["created_at"], unique=False)
        batch_op.create_index(
            "mails_pending_due_index",
            ["next_attempt_at"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )

    op.create_table(
        "members",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=32), nullable=False),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("barred", sa.Boolean(), nullable=False),
        sa.Column("merged_into", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["merged_into"], ["members.id"], name=op.f("members_merged_into_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("members_pkey")),
        sa.UniqueConstraint("address", name=op.f("members_address_unique")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(
            "members_barred_index",
            ["address"],
            unique=False,
            postgresql_where=sa.text("barred"),
            sqlite_where=sa.text("barred"),
        )
        batch_op.create_index("members_created_at_index", ["created_at", "id"], unique=False)
        batch_op.create_index(
            "members_merged_into_index",
            ["merged_into"],
            unique=False,
            postgresql_where=sa.text("merged_into IS NOT NULL"),
            sqlite_where=sa.text("merged_into IS NOT NULL"),
        )

    op.create_table(
        "merchants",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("next_nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("merchants_pkey")),
        sa.UniqueConstraint("id", name=op.f("merchants_id_unique")),
    )
    op.create_table(
        "positions",
        sa.Column("merchant_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", Big(), nullable=False),
        sa.Column("credit_limit", Big(), nullable=False),
        sa.Column("reserved", Big(), nullable=False),
        sa.PrimaryKeyConstraint("merchant_number", name=op.f("positions_pkey")),
    )
    op.create_table(
        "quarantined_events",
        sa.Column(
            "block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=40), nullable=True),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("tx_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("quarantined_events_pkey")),
    )
    op.create_table(
        "reconciliation_alarms",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("reconciliation_alarms_pkey")),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("scope", sa.String(length=16), nullable=False),
        sa.Column("block", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("block_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("contract", sa.String(length=42), nullable=False),
        sa.Column("drifts", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.Column("chain_state", sa.JSON(), nullable=False),
        sa.Column("oldest_open_order", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ended_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("reconciliations_pkey")),
    )
    with op.batch_alter_table("reconciliations", schema=None) as batch_op:
        batch_op.create_index(
            "reconciliations_clean_index",
            ["ended_at"],
            unique=False,
            postgresql_where=sa.text("drifts = 0"),
            sqlite_where=sa.text("drifts = 0"),
        )
        batch_op.create_index("reconciliations_scope_index", ["scope", "ended_at"], unique=False)

    op.create_table(
        "reference_versions",
        sa.Column("table_name", sa.String(length=63), nullable=False),
        sa.Column("version", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("table_name", name=op.f("reference_versions_pkey")),
    )
    op.create_table(
        "rejections",
        sa.Column(
            "block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("log_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("block_number", "log_index", name=op.f("rejections_pkey")),
    )
    with op.batch_alter_table("rejections", schema=None) as batch_op:
        batch_op.create_index("rejections_instruction_index", ["merchant", "nonce", "item"], unique=False)

    op.create_table(
        "staff_people",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("must_change_password", sa.Boolean(), nullable=False),
        sa.Column("totp_secret", sa.String(), nullable=True),
        sa.Column("totp_since", Instant(), nullable=True),
        sa.Column("totp_last_step", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("disabled_by_network", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_people_pkey")),
        sa.UniqueConstraint("email_key", name=op.f("staff_people_email_key_unique")),
    )
    op.create_table(
        "staff_sign_in_tries",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("staff_sign_in_tries_pkey")),
    )
    with op.batch_alter_table("staff_sign_in_tries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_sign_in_tries_since_index"), ["since"], unique=False)

    op.create_table(
        "switches",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("switches_pkey")),
    )
    op.create_table(
        "transactions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sender", sa.String(length=42), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("gas_used", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("transactions_pkey")),
        sa.UniqueConstraint("hash", name=op.f("transactions_hash_unique")),
        sa.UniqueConstraint("sender", "nonce", name=op.f("transactions_sender_nonce_unique")),
    )
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("transactions_block_number_index"), ["block_number"], unique=False)
        batch_op.create_index(
            "transactions_bytes_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("raw IS NOT NULL"),
            sqlite_where=sa.text("raw IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("transactions_state_index"), ["state"], unique=False)

    op.create_table(
        "transfer_reversals",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("batch", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("address", "batch", "index", name=op.f("transfer_reversals_pkey")),
    )
    op.create_table(
        "agreements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("initiators", sa.Integer(), nullable=False),
        sa.Column("fee_bps", sa.Integer(), nullable=False),
        sa.Column("lifetime_days", sa.Integer(), nullable=False),
        sa.Column("source_merchant", sa.Integer(), nullable=False),
        sa.Column("target_merchant", sa.Integer(), nullable=False),
        sa.Column("source_program", sa.Integer(), nullable=False),
        sa.Column("target_program", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("valid_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rate_num", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rate_den", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("unit_price_micros", Big(), nullable=False),
        sa.Column("max_points", Big(), nullable=False),
        sa.Column("daily_cap", Big(), nullable=False),
        sa.Column("supersedes", sa.Integer(), nullable=False),
        sa.Column("grace_seconds", sa.Integer(), nullable=False),
        sa.Column("accept_by", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("keep_expiry", sa.Boolean(), nullable=False),
        sa.Column("document", sa.LargeBinary(length=32), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("source_signature", sa.LargeBinary(length=64), nullable=True),
        sa.Column("target_signature", sa.LargeBinary(length=64), nullable=True),
        sa.Column("proposer", sa.Integer(), nullable=True),
        sa.Column("ends_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("terminates_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("is_end_told", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["source_merchant"], ["merchants.number"], name=op.f("agreements_source_merchant_fkey")
        ),
        sa.ForeignKeyConstraint(
            ["target_merchant"], ["merchants.number"], name=op.f("agreements_target_merchant_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("agreements_pkey")),
        sa.UniqueConstraint("digest", name=op.f("agreements_digest_unique")),
        sa.UniqueConstraint("number", name=op.f("agreements_number_unique")),
    )
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("agreements_source_merchant_index"), ["source_merchant"], unique=False)
        batch_op.create_index(batch_op.f("agreements_state_index"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("agreements_target_merchant_index"), ["target_merchant"], unique=False)

    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=True),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("parent_id", sa.String(length=40), nullable=True),
        sa.Column("created_by", sa.String(length=40), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.Column("networks", sa.JSON(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("api_keys_merchant_number_fkey")),
        sa.ForeignKeyConstraint(["parent_id"], ["api_keys.id"], name=op.f("api_keys_parent_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
    )
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("api_keys_merchant_number_index"), ["merchant_number"], unique=False)
        batch_op.create_index(batch_op.f("api_keys_parent_id_index"), ["parent_id"], unique=False)

    op.create_table(
        "approvals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=True),
        sa.Column("claim", sa.String(length=100), nullable=False),
        sa.Column("change", sa.JSON(), nullable=False),
        sa.Column("before", sa.JSON(), nullable=False),
        sa.Column("after", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("maker", sa.String(length=40), nullable=False),
        sa.Column("maker_role", sa.String(length=16), nullable=False),
        sa.Column("maker_identity", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("decided_by", sa.String(length=40), nullable=True),
        sa.Column("decided_at", Instant(), nullable=True),
        sa.Column("decision_reason", sa.String(length=500), nullable=False),
        sa.Column("result", sa.String(length=66), nullable=True),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("approvals_merchant_number_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("approvals_pkey")),
    )
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.create_index(
            "approvals_claim_unique",
            ["claim"],
            unique=True,
            postgresql_where=sa.text("state = 'requested'"),
            sqlite_where=sa.text("state = 'requested'"),
        )
        batch_op.create_index("approvals_kind_page_index", ["kind", "id"], unique=False)
        batch_op.create_index("approvals_merchant_page_index", ["merchant_number", "id"], unique=False)
        batch_op.create_index(batch_op.f("approvals_result_index"), ["result"], unique=False)
        batch_op.create_index("approvals_state_page_index", ["state", "id"], unique=False)

    op.create_table(
        "bank_movements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("micros", Big(), nullable=False),
        sa.Column("bank_reference", sa.String(length=140), nullable=False),
        sa.Column("bank_ref", sa.LargeBinary(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("bank_movements_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("bank_movements_pkey")),
        sa.UniqueConstraint("bank_ref", name=op.f("bank_movements_bank_ref_unique")),
    )
    with op.batch_alter_table("bank_movements", schema=None) as batch_op:
        batch_op.create_index(
            "bank_movements_merchant_page_index", ["merchant_number", "kind", "created_at", "id"], unique=False
        )
        batch_op.create_index(
            "bank_movements_merchant_state_index",
            ["merchant_number", "kind", "state", "created_at", "id"],
            unique=False,
        )
        batch_op.create_index("bank_movements_page_index", ["kind", "created_at", "id"], unique=False)
        batch_op.create_index("bank_movements_state_index", ["kind", "state", "created_at", "id"], unique=False)

    op.create_table(
        "calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("function", sa.String(length=40), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("subject", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("transaction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("calls_transaction_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("calls_pkey")),
    )
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("calls_state_index"), ["state"], unique=False)
        batch_op.create_index(batch_op.f("calls_subject_index"), ["subject"], unique=False)
        batch_op.create_index(batch_op.f("calls_transaction_id_index"), ["transaction_id"], unique=False)

    op.create_table(
        "holds",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=True),
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("program", sa.Integer(), nullable=False),
        sa.Column("agreement", sa.Integer(), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("captured", Big(), nullable=False),
        sa.Column("drawing", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("order_id", sa.String(length=40), nullable=True),
        sa.Column("movement_id", sa.String(length=40), nullable=True),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("holds_member_id_fkey")),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("holds_merchant_number_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("holds_pkey")),
    )
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.create_index(
            "holds_drawing_account_index",
            ["address", "program"],
            unique=False,
            postgresql_where=sa.text("drawing"),
            sqlite_where=sa.text("drawing"),
        )
        batch_op.create_index(
            "holds_due_page_index",
            ["merchant_number", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
            sqlite_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
        )
        batch_op.create_index(
            "holds_ended_index",
            ["ended_at"],
            unique=False,
            postgresql_where=sa.text("ended_at IS NOT NULL"),
            sqlite_where=sa.text("ended_at IS NOT NULL"),
        )
        batch_op.create_index("holds_member_index", ["member_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("holds_order_id_index"), ["order_id"], unique=False)
        batch_op.create_index(
            "holds_page_index",
            ["merchant_number", "program", "state", "id"],
            unique=False,
            postgresql_where=sa.text("purpose = 'merchant'"),
            sqlite_where=sa.text("purpose = 'merchant'"),
        )
        batch_op.create_index(
            "holds_pending_account_index",
            ["address", "program"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "holds_pending_due_index",
            ["expires_at"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "holds_pending_expiry_unique",
            ["address", "program"],
            unique=True,
            postgresql_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
            sqlite_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
        )
        batch_op.create_index(
            "holds_reference_index",
            ["reference"],
            unique=False,
            postgresql_where=sa.text("reference IS NOT NULL"),
            sqlite_where=sa.text("reference IS NOT NULL"),
        )

    op.create_table(
        "link_codes",
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("link_codes_member_id_fkey")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("link_codes_pkey")),
    )
    with op.batch_alter_table("link_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("link_codes_member_id_index"), ["member_id"], unique=False)

    op.create_table(
        "liquidity_levels",
        sa.Column("merchant_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("liquidity", Big(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("liquidity_levels_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("merchant_number", name=op.f("liquidity_levels_pkey")),
    )
    op.create_table(
        "member_codes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("program", sa.Integer(), nullable=True),
        sa.Column("presenter", sa.Integer(), nullable=True),
        sa.Column("refused_tries", sa.Integer(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("voided_at", Instant(), nullable=True),
        sa.Column("used_at", Instant(), nullable=True),
        sa.Column("used_by", sa.Integer(), nullable=True),
        sa.Column("used_points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("used_for", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["member_id"], ["members.id"], name=op.f("member_codes_member_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("member_codes_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("member_codes_pkey")),
        sa.UniqueConstraint("code_hash", name=op.f("member_codes_code_hash_unique")),
    )
    with op.batch_alter_table("member_codes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("member_codes_expires_at_index"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("member_codes_member_id_index"), ["member_id"], unique=False)

    op.create_table(
        "member_freezes",
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("member_freezes_member_id_fkey")),
        sa.PrimaryKeyConstraint("member_id", "merchant_number", name=op.f("member_freezes_pkey")),
    )
    with op.batch_alter_table("member_freezes", schema=None) as batch_op:
        batch_op.create_index("member_freezes_merchant_index", ["merchant_number", "member_id"], unique=False)

    op.create_table(
        "member_links",
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column(
            "external_id",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("origin", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("member_links_member_id_fkey")),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("member_links_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("merchant_number", "external_id", name=op.f("member_links_pkey")),
    )
    with op.batch_alter_table("member_links", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("member_links_member_id_index"), ["member_id"], unique=False)
        batch_op.create_index("member_links_merchant_member_index", ["merchant_number", "member_id"], unique=False)

    op.create_table(
        "merges",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("into_id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=True),
        sa.Column("done_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("merges_merchant_number_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("merges_pkey")),
    )
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("merges_into_id_index"), ["into_id"], unique=False)
        batch_op.create_index(batch_op.f("merges_member_id_index"), ["member_id"], unique=False)
        batch_op.create_index("merges_merchant_index", ["merchant_number", "state", "id"], unique=False)
        batch_op.create_index("merges_state_index", ["state", "id"], unique=False)

    op.create_table(
        "movement_metadata",
        sa.Column(
            "order_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["order_seq", "item"],
            ["instructions.order_seq", "instructions.item"],
            name="movement_metadata_instruction_fkey",
        ),
        sa.PrimaryKeyConstraint("order_seq", "item", name=op.f("movement_metadata_pkey")),
    )
    op.create_table(
        "orders",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("nonce", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("deadline", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("atomic", sa.Boolean(), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("packed", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("has_metadata", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=40), nullable=True),
        sa.Column("transaction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("block_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("submitted_at", Instant(), nullable=True),
        sa.Column("settled_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("orders_merchant_number_fkey")),
        sa.ForeignKeyConstraint(["transaction_id"], ["transactions.id"], name=op.f("orders_transaction_id_fkey")),
        sa.PrimaryKeyConstraint("seq", name=op.f("orders_pkey")),
        sa.UniqueConstraint("id", name=op.f("orders_id_unique")),
        sa.UniqueConstraint("merchant_number", "nonce", name="orders_merchant_nonce_unique"),
    )
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.create_index("orders_created_at_index", ["created_at", "seq"], unique=False)
        batch_op.create_index(
            "orders_queue_index",
            ["seq"],
            unique=False,
            postgresql_where=sa.text("state = 'accepted'"),
            sqlite_where=sa.text("state = 'accepted'"),
        )
        batch_op.create_index(
            "orders_submitted_index",
            ["seq"],
            unique=False,
            postgresql_where=sa.text("state = 'submitted'"),
            sqlite_where=sa.text("state = 'submitted'"),
        )

    op.create_table(
        "presenter_tries",
        sa.Column("merchant_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("presenter_tries_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("merchant_number", name=op.f("presenter_tries_pkey")),
    )
    with op.batch_alter_table("presenter_tries", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("presenter_tries_since_index"), ["since"], unique=False)

    op.create_table(
        "programs",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("default_lifetime_days", sa.Integer(), nullable=True),
        sa.Column("issuance_cap", Big(), nullable=False),
        sa.Column("next_issuance_cap", Big(), nullable=False),
        sa.Column("next_cap_day", sa.Integer(), nullable=True),
        sa.Column("uncapped_day", sa.Integer(), nullable=True),
        sa.Column("uncapped_points", Big(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("programs_merchant_number_fkey")),
        sa.PrimaryKeyConstraint("number", name=op.f("programs_pkey")),
        sa.UniqueConstraint("code", name=op.f("programs_code_unique")),
        sa.UniqueConstraint("id", name=op.f("programs_id_unique")),
    )
    with op.batch_alter_table("programs", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("programs_merchant_number_index"), ["merchant_number"], unique=False)

    op.create_table(
        "retired_links",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column(
            "external_id",
            sa.String(length=128).with_variant(sa.String(length=128, collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("member_id", sa.String(length=40), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("retired_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["member_id"], ["members.id"], name=op.f("retired_links_member_id_fkey")),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("retired_links_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("retired_links_pkey")),
    )
    with op.batch_alter_table("retired_links", schema=None) as batch_op:
        batch_op.create_index("retired_links_external_id_index", ["merchant_number", "external_id"], unique=False)
        batch_op.create_index(batch_op.f("retired_links_member_id_index"), ["member_id"], unique=False)

    op.create_table(
        "signer_keys",
        sa.Column("address", sa.String(length=42), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("keystore", sa.String(), nullable=True),
        sa.Column("valid_from", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("valid_until", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("signer_keys_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("signer_keys_pkey")),
    )
    with op.batch_alter_table("signer_keys", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("signer_keys_merchant_number_index"), ["merchant_number"], unique=False)

    op.create_table(
        "staff_invitations",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("email_key", sa.String(length=254), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("by_network", sa.Boolean(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("accepted_at", Instant(), nullable=True),
        sa.Column("person_id", sa.String(length=40), nullable=True),
        sa.Column("key_id", sa.String(length=40), nullable=True),
        sa.Column("revoked_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("staff_invitations_key_id_fkey")),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("staff_invitations_merchant_number_fkey")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["staff_people.id"], name=op.f("staff_invitations_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_invitations_pkey")),
    )
    with op.batch_alter_table("staff_invitations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_invitations_email_key_index"), ["email_key"], unique=False)
        batch_op.create_index(batch_op.f("staff_invitations_merchant_number_index"), ["merchant_number"], unique=False)

    op.create_table(
        "staff_password_resets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["staff_people.id"], name=op.f("staff_password_resets_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_password_resets_pkey")),
    )
    with op.batch_alter_table("staff_password_resets", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_password_resets_expires_at_index"), ["expires_at"], unique=False)
        batch_op.create_index(batch_op.f("staff_password_resets_person_id_index"), ["person_id"], unique=False)

    op.create_table(
        "staff_recovery_codes",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["staff_people.id"], name=op.f("staff_recovery_codes_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "code_hash", name=op.f("staff_recovery_codes_pkey")),
    )
    op.create_table(
        "staff_seats",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=True),
        sa.Column("title", sa.String(length=16), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("removed_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("staff_seats_merchant_number_fkey")
        ),
        sa.ForeignKeyConstraint(["person_id"], ["staff_people.id"], name=op.f("staff_seats_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_seats_pkey")),
    )
    with op.batch_alter_table("staff_seats", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_seats_merchant_number_index"), ["merchant_number"], unique=False)
        batch_op.create_index(
            "staff_seats_person_merchant_unique",
            ["person_id", "merchant_number"],
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL"),
        )
        batch_op.create_index(
            "staff_seats_person_title_unique",
            ["person_id", "title"],
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL AND merchant_number IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL AND merchant_number IS NULL"),
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
            ["merchant_number"], ["merchants.number"], name=op.f("statements_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("statements_pkey")),
        sa.UniqueConstraint("merchant_number", "day", name="statements_merchant_day_unique"),
    )
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.create_index("statements_day_index", ["day", "id"], unique=False)

    op.create_table(
        "transaction_attempts",
        sa.Column("hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("transaction_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id"], ["transactions.id"], name=op.f("transaction_attempts_transaction_id_fkey")
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("transaction_attempts_pkey")),
    )
    with op.batch_alter_table("transaction_attempts", schema=None) as batch_op:
        batch_op.create_index(
            "transaction_attempts_bytes_index",
            ["transaction_id"],
            unique=False,
            postgresql_where=sa.text("raw IS NOT NULL"),
            sqlite_where=sa.text("raw IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("transaction_attempts_transaction_id_index"), ["transaction_id"], unique=False)

    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("url", sa.String(length=2048), nullable=False),
        sa.Column("description", sa.String(length=200), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("secret", sa.String(), nullable=False),
        sa.Column("old_secret", sa.String(), nullable=True),
        sa.Column("old_secret_until", Instant(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("after_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failing_since", Instant(), nullable=True),
        sa.Column("rests_until", Instant(), nullable=True),
        sa.Column("replays", sa.Integer(), nullable=False),
        sa.Column("replays_since", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("webhook_endpoints_merchant_number_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_endpoints_pkey")),
    )
    with op.batch_alter_table("webhook_endpoints", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("webhook_endpoints_merchant_number_index"), ["merchant_number"], unique=False)

    op.create_table(
        "api_key_uses",
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("used_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("api_key_uses_key_id_fkey")),
        sa.PrimaryKeyConstraint("key_id", name=op.f("api_key_uses_pkey")),
    )
    op.create_table(
        "merge_accounts",
        sa.Column("merge_id", sa.String(length=40), nullable=False),
        sa.Column("program", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("transfers", sa.Integer(), nullable=False),
        sa.Column("announced", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_number"], ["merchants.number"], name=op.f("merge_accounts_merchant_number_fkey")
        ),
        sa.ForeignKeyConstraint(["merge_id"], ["merges.id"], name=op.f("merge_accounts_merge_id_fkey")),
        sa.PrimaryKeyConstraint("merge_id", "program", name=op.f("merge_accounts_pkey")),
    )
    with op.batch_alter_table("merge_accounts", schema=None) as batch_op:
        batch_op.create_index("merge_accounts_merchant_index", ["merchant_number", "merge_id"], unique=False)

    op.create_table(
        "quotes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("merchant_number", sa.Integer(), nullable=False),
        sa.Column("agreement_id", sa.String(length=40), nullable=False),
        sa.Column("points", Big(), nullable=False),
        sa.Column("points_burnt", Big(), nullable=False),
        sa.Column("out", Big(), nullable=False),
        sa.Column("settled", Big(), nullable=False),
        sa.Column("fee", Big(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(["agreement_id"], ["agreements.id"], name=op.f("quotes_agreement_id_fkey")),
        sa.ForeignKeyConstraint(["merchant_number"], ["merchants.number"], name=op.f("quotes_merchant_number_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("quotes_pkey")),
    )
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("quotes_expires_at_index"), ["expires_at"], unique=False)

    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("seat_id", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("second_factor", sa.Boolean(), nullable=False),
        sa.Column("restriction", sa.String(length=16), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=False),
        sa.Column("user_agent", sa.String(length=300), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("last_seen_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["staff_people.id"], name=op.f("staff_sessions_person_id_fkey")),
        sa.ForeignKeyConstraint(["seat_id"], ["staff_seats.id"], name=op.f("staff_sessions_seat_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_sessions_pkey")),
    )
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_sessions_expires_at_index"), ["expires_at"], unique=False)
        batch_op.create_index("staff_sessions_person_page_index", ["person_id", "id"], unique=False)
        batch_op.create_index(batch_op.f("staff_sessions_seat_id_index"), ["seat_id"], unique=False)

    op.create_table(
        "webhook_deliveries",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("endpoint_id", sa.String(length=40), nullable=False),
        sa.Column("event_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subject", sa.String(length=66), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", Instant(), nullable=False),
        sa.Column("claimed_until", Instant(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", sa.String(length=1024), nullable=True),
        sa.Column("tries", sa.JSON(), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("attempted_at", Instant(), nullable=True),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint_id"],
            ["webhook_endpoints.id"],
            name=op.f("webhook_deliveries_endpoint_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["event_seq"], ["events.seq"], name=op.f("webhook_deliveries_event_seq_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_deliveries_pkey")),
        sa.UniqueConstraint("endpoint_id", "event_seq", name="webhook_deliveries_endpoint_event_unique"),
    )
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.create_index(
            "webhook_deliveries_claimed_index",
            ["endpoint_id", "claimed_until"],
            unique=False,
            postgresql_where=sa.text("claimed_until IS NOT NULL"),
            sqlite_where=sa.text("claimed_until IS NOT NULL"),
        )
        batch_op.create_index(batch_op.f("webhook_deliveries_created_at_index"), ["created_at"], unique=False)
        batch_op.create_index(batch_op.f("webhook_deliveries_event_seq_index"), ["event_seq"], unique=False)
        batch_op.create_index(
            "webhook_deliveries_pending_due_index",
            ["endpoint_id", "next_attempt_at"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index(
            "webhook_deliveries_pending_order_index",
            ["endpoint_id", "subject", "event_seq"],
            unique=False,
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.create_index("webhook_deliveries_state_index", ["endpoint_id", "state", "event_seq"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("webhook_deliveries", schema=None) as batch_op:
        batch_op.drop_index("webhook_deliveries_state_index")
        batch_op.drop_index(
            "webhook_deliveries_pending_order_index",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(
            "webhook_deliveries_pending_due_index",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(batch_op.f("webhook_deliveries_event_seq_index"))
        batch_op.drop_index(batch_op.f("webhook_deliveries_created_at_index"))
        batch_op.drop_index(
            "webhook_deliveries_claimed_index",
            postgresql_where=sa.text("claimed_until IS NOT NULL"),
            sqlite_where=sa.text("claimed_until IS NOT NULL"),
        )

    op.drop_table("webhook_deliveries")
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("staff_sessions_seat_id_index"))
        batch_op.drop_index("staff_sessions_person_page_index")
        batch_op.drop_index(batch_op.f("staff_sessions_expires_at_index"))

    op.drop_table("staff_sessions")
    with op.batch_alter_table("quotes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("quotes_expires_at_index"))

    op.drop_table("quotes")
    with op.batch_alter_table("merge_accounts", schema=None) as batch_op:
        batch_op.drop_index("merge_accounts_merchant_index")

    op.drop_table("merge_accounts")
    op.drop_table("api_key_uses")
    with op.batch_alter_table("webhook_endpoints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("webhook_endpoints_merchant_number_index"))

    op.drop_table("webhook_endpoints")
    with op.batch_alter_table("transaction_attempts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("transaction_attempts_transaction_id_index"))
        batch_op.drop_index(
            "transaction_attempts_bytes_index",
            postgresql_where=sa.text("raw IS NOT NULL"),
            sqlite_where=sa.text("raw IS NOT NULL"),
        )

    op.drop_table("transaction_attempts")
    with op.batch_alter_table("statements", schema=None) as batch_op:
        batch_op.drop_index("statements_day_index")

    op.drop_table("statements")
    with op.batch_alter_table("staff_seats", schema=None) as batch_op:
        batch_op.drop_index(
            "staff_seats_person_title_unique",
            postgresql_where=sa.text("removed_at IS NULL AND merchant_number IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL AND merchant_number IS NULL"),
        )
        batch_op.drop_index(
            "staff_seats_person_merchant_unique",
            postgresql_where=sa.text("removed_at IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("staff_seats_merchant_number_index"))

    op.drop_table("staff_seats")
    op.drop_table("staff_recovery_codes")
    with op.batch_alter_table("staff_password_resets", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("staff_password_resets_person_id_index"))
        batch_op.drop_index(batch_op.f("staff_password_resets_expires_at_index"))

    op.drop_table("staff_password_resets")
    with op.batch_alter_table("staff_invitations", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("staff_invitations_merchant_number_index"))
        batch_op.drop_index(batch_op.f("staff_invitations_email_key_index"))

    op.drop_table("staff_invitations")
    with op.batch_alter_table("signer_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("signer_keys_merchant_number_index"))

    op.drop_table("signer_keys")
    with op.batch_alter_table("retired_links", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("retired_links_member_id_index"))
        batch_op.drop_index("retired_links_external_id_index")

    op.drop_table("retired_links")
    with op.batch_alter_table("programs", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("programs_merchant_number_index"))

    op.drop_table("programs")
    with op.batch_alter_table("presenter_tries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("presenter_tries_since_index"))

    op.drop_table("presenter_tries")
    with op.batch_alter_table("orders", schema=None) as batch_op:
        batch_op.drop_index(
            "orders_submitted_index",
            postgresql_where=sa.text("state = 'submitted'"),
            sqlite_where=sa.text("state = 'submitted'"),
        )
        batch_op.drop_index(
            "orders_queue_index",
            postgresql_where=sa.text("state = 'accepted'"),
            sqlite_where=sa.text("state = 'accepted'"),
        )
        batch_op.drop_index("orders_created_at_index")

    op.drop_table("orders")
    op.drop_table("movement_metadata")
    with op.batch_alter_table("merges", schema=None) as batch_op:
        batch_op.drop_index("merges_state_index")
        batch_op.drop_index("merges_merchant_index")
        batch_op.drop_index(batch_op.f("merges_member_id_index"))
        batch_op.drop_index(batch_op.f("merges_into_id_index"))

    op.drop_table("merges")
    with op.batch_alter_table("member_links", schema=None) as batch_op:
        batch_op.drop_index("member_links_merchant_member_index")
        batch_op.drop_index(batch_op.f("member_links_member_id_index"))

    op.drop_table("member_links")
    with op.batch_alter_table("member_freezes", schema=None) as batch_op:
        batch_op.drop_index("member_freezes_merchant_index")

    op.drop_table("member_freezes")
    with op.batch_alter_table("member_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("member_codes_member_id_index"))
        batch_op.drop_index(batch_op.f("member_codes_expires_at_index"))

    op.drop_table("member_codes")
    op.drop_table("liquidity_levels")
    with op.batch_alter_table("link_codes", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("link_codes_member_id_index"))

    op.drop_table("link_codes")
    with op.batch_alter_table("holds", schema=None) as batch_op:
        batch_op.drop_index(
            "holds_reference_index",
            postgresql_where=sa.text("reference IS NOT NULL"),
            sqlite_where=sa.text("reference IS NOT NULL"),
        )
        batch_op.drop_index(
            "holds_pending_expiry_unique",
            postgresql_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
            sqlite_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
        )
        batch_op.drop_index(
            "holds_pending_due_index",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(
            "holds_pending_account_index",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(
            "holds_page_index",
            postgresql_where=sa.text("purpose = 'merchant'"),
            sqlite_where=sa.text("purpose = 'merchant'"),
        )
        batch_op.drop_index(batch_op.f("holds_order_id_index"))
        batch_op.drop_index("holds_member_index")
        batch_op.drop_index(
            "holds_ended_index",
            postgresql_where=sa.text("ended_at IS NOT NULL"),
            sqlite_where=sa.text("ended_at IS NOT NULL"),
        )
        batch_op.drop_index(
            "holds_due_page_index",
            postgresql_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
            sqlite_where=sa.text("state = 'pending' AND purpose = 'expiry'"),
        )
        batch_op.drop_index(
            "holds_drawing_account_index", postgresql_where=sa.text("drawing"), sqlite_where=sa.text("drawing")
        )

    op.drop_table("holds")
    with op.batch_alter_table("calls", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("calls_transaction_id_index"))
        batch_op.drop_index(batch_op.f("calls_subject_index"))
        batch_op.drop_index(batch_op.f("calls_state_index"))

    op.drop_table("calls")
    with op.batch_alter_table("bank_movements", schema=None) as batch_op:
        batch_op.drop_index("bank_movements_state_index")
        batch_op.drop_index("bank_movements_page_index")
        batch_op.drop_index("bank_movements_merchant_state_index")
        batch_op.drop_index("bank_movements_merchant_page_index")

    op.drop_table("bank_movements")
    with op.batch_alter_table("approvals", schema=None) as batch_op:
        batch_op.drop_index("approvals_state_page_index")
        batch_op.drop_index(batch_op.f("approvals_result_index"))
        batch_op.drop_index("approvals_merchant_page_index")
        batch_op.drop_index("approvals_kind_page_index")
        batch_op.drop_index(
            "approvals_claim_unique",
            postgresql_where=sa.text("state = 'requested'"),
            sqlite_where=sa.text("state = 'requested'"),
        )

    op.drop_table("approvals")
    with op.batch_alter_table("api_keys", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("api_keys_parent_id_index"))
        batch_op.drop_index(batch_op.f("api_keys_merchant_number_index"))

    op.drop_table("api_keys")
    with op.batch_alter_table("agreements", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("agreements_target_merchant_index"))
        batch_op.drop_index(batch_op.f("agreements_state_index"))
        batch_op.drop_index(batch_op.f("agreements_source_merchant_index"))

    op.drop_table("agreements")
    op.drop_table("transfer_reversals")
    with op.batch_alter_table("transactions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("transactions_state_index"))
        batch_op.drop_index(
            "transactions_bytes_index",
            postgresql_where=sa.text("raw IS NOT NULL"),
            sqlite_where=sa.text("raw IS NOT NULL"),
        )
        batch_op.drop_index(batch_op.f("transactions_block_number_index"))

    op.drop_table("transactions")
    op.drop_table("switches")
    op.drop_table("failures")
    with op.batch_alter_table("staff_sign_in_tries", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("staff_sign_in_tries_since_index"))

    op.drop_table("staff_sign_in_tries")
    op.drop_table("staff_people")
    with op.batch_alter_table("rejections", schema=None) as batch_op:
        batch_op.drop_index("rejections_instruction_index")

    op.drop_table("rejections")
    op.drop_table("reference_versions")
    with op.batch_alter_table("reconciliations", schema=None) as batch_op:
        batch_op.drop_index("reconciliations_scope_index")
        batch_op.drop_index(
            "reconciliations_clean_index", postgresql_where=sa.text("drifts = 0"), sqlite_where=sa.text("drifts = 0")
        )

    op.drop_table("reconciliations")
    op.drop_table("reconciliation_alarms")
    op.drop_table("quarantined_events")
    op.drop_table("positions")
    op.drop_table("merchants")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index(
            "members_merged_into_index",
            postgresql_where=sa.text("merged_into IS NOT NULL"),
            sqlite_where=sa.text("merged_into IS NOT NULL"),
        )
        batch_op.drop_index("members_created_at_index")
        batch_op.drop_index("members_barred_index", postgresql_where=sa.text("barred"), sqlite_where=sa.text("barred"))

    op.drop_table("members")
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.drop_index(
            "mails_pending_due_index",
            postgresql_where=sa.text("state = 'pending'"),
            sqlite_where=sa.text("state = 'pending'"),
        )
        batch_op.drop_index(batch_op.f("mails_created_at_index"))
        batch_op.drop_index(batch_op.f("mails_about_index"))

    op.drop_table("mails")
    op.drop_table("lot_draws")
    with op.batch_alter_table("lot_checkpoints", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("lot_checkpoints_last_batch_index"))

    op.drop_table("lot_checkpoints")
    op.drop_table("lot_checkpoint_cursor")
    with op.batch_alter_table("instructions", schema=None) as batch_op:
        batch_op.drop_index(
            "instructions_taking_back_index", postgresql_where=sa.text("kind = 6"), sqlite_where=sa.text("kind = 6")
        )
        batch_op.drop_index(
            "instructions_reversal_receiver_index",
            postgresql_where=sa.text("kind = 6"),
            sqlite_where=sa.text("kind = 6"),
        )
        batch_op.drop_index(
            "instructions_reversal_giver_index", postgresql_where=sa.text("kind = 6"), sqlite_where=sa.text("kind = 6")
        )
        batch_op.drop_index(
            "instructions_refused_program_index",
            postgresql_where=sa.text("refused IS NOT NULL"),
            sqlite_where=sa.text("refused IS NOT NULL"),
        )
        batch_op.drop_index(
            "instructions_refused_index",
            postgresql_where=sa.text("refused IS NOT NULL"),
            sqlite_where=sa.text("refused IS NOT NULL"),
        )
        batch_op.drop_index(
            "instructions_refused_agreement_index",
            postgresql_where=sa.text("refused IS NOT NULL AND agreement > 0"),
            sqlite_where=sa.text("refused IS NOT NULL AND agreement > 0"),
        )
        batch_op.drop_index(
            "instructions_recipient_index",
            postgresql_where=sa.text("recipient_id IS NOT NULL"),
            sqlite_where=sa.text("recipient_id IS NOT NULL"),
        )
        batch_op.drop_index("instructions_program_index")
        batch_op.drop_index(
            "instructions_original_index",
            postgresql_where=sa.text("original_id IS NOT NULL"),
            sqlite_where=sa.text("original_id IS NOT NULL"),
        )
        batch_op.drop_index("instructions_member_index")
        batch_op.drop_index(
            "instructions_live_reference_unique",
            postgresql_where=sa.text("live AND reference IS NOT NULL"),
            sqlite_where=sa.text("live AND reference IS NOT NULL"),
        )
        batch_op.drop_index(
            "instructions_dead_reference_index",
            postgresql_where=sa.text("NOT live AND reference IS NOT NULL"),
            sqlite_where=sa.text("NOT live AND reference IS NOT NULL"),
        )
        batch_op.drop_index(
            "instructions_agreement_index",
            postgresql_where=sa.text("agreement > 0"),
            sqlite_where=sa.text("agreement > 0"),
        )

    op.drop_table("instructions")
    with op.batch_alter_table("idempotency_records", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("idempotency_records_created_at_index"))

    op.drop_table("idempotency_records")
    with op.batch_alter_table("expiry_reminders", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("expiry_reminders_created_at_index"))

    op.drop_table("expiry_reminders")
    op.drop_table("expiry_marks")
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.drop_index("events_subject_index")
        batch_op.drop_index(
            "events_network_type_index",
            postgresql_where=sa.text("merchant_number IS NULL"),
            sqlite_where=sa.text("merchant_number IS NULL"),
        )
        batch_op.drop_index("events_merchant_type_index")
        batch_op.drop_index("events_merchant_page_index")
        batch_op.drop_index(
            "events_audit_type_index", postgresql_where=sa.text("audited"), sqlite_where=sa.text("audited")
        )
        batch_op.drop_index(
            "events_audit_subject_index", postgresql_where=sa.text("audited"), sqlite_where=sa.text("audited")
        )
        batch_op.drop_index(
            "events_audit_page_index", postgresql_where=sa.text("audited"), sqlite_where=sa.text("audited")
        )
        batch_op.drop_index(
            "events_audit_actor_index", postgresql_where=sa.text("audited"), sqlite_where=sa.text("audited")
        )

    op.drop_table("events")
    op.drop_table("event_cursors")
    with op.batch_alter_table("entries", schema=None) as batch_op:
        batch_op.drop_index(
            "entries_transfer_index", postgresql_where=sa.text("kind = 5"), sqlite_where=sa.text("kind = 5")
        )
        batch_op.drop_index("entries_program_index")
        batch_op.drop_index(
            "entries_link_index", postgresql_where=sa.text("kind IN (5, 6)"), sqlite_where=sa.text("kind IN (5, 6)")
        )
        batch_op.drop_index("entries_instruction_unique")
        batch_op.drop_index(
            "entries_expiry_day_index",
            postgresql_where=sa.text("expiry_day > 0"),
            sqlite_where=sa.text("expiry_day > 0"),
        )
        batch_op.drop_index(batch_op.f("entries_block_number_index"))
        batch_op.drop_index(
            "entries_agreement_index", postgresql_where=sa.text("agreement > 0"), sqlite_where=sa.text("agreement > 0")
        )
        batch_op.drop_index("entries_address_index")

    op.drop_table("entries")
    with op.batch_alter_table("daily_totals", schema=None) as batch_op:
        batch_op.drop_index(
            "daily_totals_ever_index", postgresql_where=sa.text("day = 0"), sqlite_where=sa.text("day = 0")
        )

    op.drop_table("daily_totals")
    op.drop_table("chain_events")
    with op.batch_alter_table("blocks", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("blocks_timestamp_index"))

    op.drop_table("blocks")
    with op.batch_alter_table("batches", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("batches_block_number_index"))

    op.drop_table("batches")
    op.drop_table("agreement_uses")
    with op.batch_alter_table("accounts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("accounts_program_index"))
        batch_op.drop_index(
            "accounts_due_index",
            postgresql_where=sa.text("due_on < 2147483646"),
            sqlite_where=sa.text("due_on < 2147483646"),
        )

    op.drop_table("accounts")
