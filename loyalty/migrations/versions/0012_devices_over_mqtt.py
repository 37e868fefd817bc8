"""Devices over MQTT.

Revision 0012, after 0011.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "refused_messages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("topic", sa.String(length=300), nullable=False),
        sa.Column("device", sa.String(length=40), nullable=True),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("first_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("refused_messages_pkey")),
    )
    with op.batch_alter_table("refused_messages", schema=None) as batch_op:
        batch_op.create_index("refused_messages_content_unique", ["fingerprint"], unique=True)
        batch_op.create_index("refused_messages_device_index", ["device", "id"], unique=False)
        batch_op.create_index("refused_messages_last_index", ["last_at"], unique=False)

    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.add_column(sa.Column("broker_hash", sa.String(length=200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_column("broker_hash")

    with op.batch_alter_table("refused_messages", schema=None) as batch_op:
        batch_op.drop_index("refused_messages_last_index")
        batch_op.drop_index("refused_messages_device_index")
        batch_op.drop_index("refused_messages_content_unique")

    op.drop_table("refused_messages")
