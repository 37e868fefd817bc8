"""Messages."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "heard_until",
        sa.Column("topic", sa.String(length=40), nullable=False),
        sa.Column("event", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("topic", name=op.f("heard_until_pkey")),
    )
    op.create_table(
        "message_kinds",
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column("texts", sa.JSON(), nullable=True),
        sa.Column("changed_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("kind", name=op.f("message_kinds_pkey")),
    )
    op.create_table(
        "addresses",
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("addresses_customer_id_fkey")),
        sa.PrimaryKeyConstraint("customer_id", "channel", name=op.f("addresses_pkey")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=40), nullable=False),
        sa.Column("matter", sa.String(length=140), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("good_until", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("why", sa.String(length=40), nullable=True),
        sa.Column("due_at", Moment(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("leased_until", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("messages_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("messages_pkey")),
        sa.UniqueConstraint("customer_id", "matter", name=op.f("messages_customer_id_matter_unique")),
    )
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index("messages_customer_index", ["customer_id", "id"], unique=False)
        batch_op.create_index(
            "messages_due_index",
            ["due_at", "id"],
            unique=False,
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        )
        batch_op.create_index(
            "messages_leased_index",
            ["leased_until"],
            unique=False,
            postgresql_where=sa.text("state = 'sending'"),
            sqlite_where=sa.text("state = 'sending'"),
        )
        batch_op.create_index("messages_state_index", ["state", "id"], unique=False)

    op.create_table(
        "deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("message_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("begun_at", Moment(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("deliveries_customer_id_fkey")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("deliveries_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("deliveries_pkey")),
    )
    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.create_index("deliveries_customer_index", ["customer_id", "begun_at"], unique=False)
        batch_op.create_index("deliveries_message_index", ["message_id", "id"], unique=False)

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("language", sa.String(length=2), server_default="zh", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_column("language")

    with op.batch_alter_table("deliveries", schema=None) as batch_op:
        batch_op.drop_index("deliveries_message_index")
        batch_op.drop_index("deliveries_customer_index")

    op.drop_table("deliveries")
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("messages_state_index")
        batch_op.drop_index(
            "messages_leased_index",
            postgresql_where=sa.text("state = 'sending'"),
            sqlite_where=sa.text("state = 'sending'"),
        )
        batch_op.drop_index(
            "messages_due_index",
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index("messages_customer_index")

    op.drop_table("messages")
    op.drop_table("addresses")
    op.drop_table("message_kinds")
    op.drop_table("heard_until")
