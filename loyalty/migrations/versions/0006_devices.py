"""Devices.

Revision 0006, after 0005.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("point", sa.String(length=12), nullable=True),
        sa.Column("category", sa.String(length=40), nullable=False),
        sa.Column("recognition_seconds", sa.Integer(), nullable=False),
        sa.Column("idle_seconds", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.String(length=40), nullable=False),
        sa.Column("last_seen_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("devices_key_id_fkey")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("devices_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("devices_pkey")),
        sa.UniqueConstraint("key_id", name=op.f("devices_key_id_unique")),
    )
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.create_index(
            "devices_point_unique",
            ["station_id", "point"],
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL AND kind IN ('pump', 'wash_bay')"),
            sqlite_where=sa.text("revoked_at IS NULL AND kind IN ('pump', 'wash_bay')"),
        )

    op.create_table(
        "fills",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("device_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=20), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("point", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("started_at", Moment(), nullable=False),
        sa.Column("last_at", Moment(), nullable=False),
        sa.Column("ends_at", Moment(), nullable=False),
        sa.Column("total", sa.JSON(), nullable=True),
        sa.Column("total_order", sa.String(length=80), nullable=False),
        sa.Column("quantity_milli", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount_micros", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("shown", sa.String(length=100), nullable=True),
        sa.Column("sale_id", sa.String(length=40), nullable=True),
        sa.Column("booked", sa.LargeBinary(length=32), nullable=True),
        sa.Column("corrections", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("fills_customer_id_fkey")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("fills_device_id_fkey")),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("fills_sale_id_fkey")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("fills_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("fills_pkey")),
    )
    with op.batch_alter_table("fills", schema=None) as batch_op:
        batch_op.create_index("fills_number_unique", ["device_id", "number"], unique=True)
        batch_op.create_index("fills_point_index", ["station_id", "point", "ends_at"], unique=False)
        batch_op.create_index(
            "fills_running_index",
            ["ends_at"],
            unique=False,
            postgresql_where=sa.text("state = 'running'"),
            sqlite_where=sa.text("state = 'running'"),
        )

    op.create_table(
        "device_events",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("device_id", sa.String(length=40), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("point", sa.String(length=12), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.Column("fill_id", sa.String(length=40), nullable=True),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("device_events_customer_id_fkey")),
        sa.ForeignKeyConstraint(["device_id"], ["devices.id"], name=op.f("device_events_device_id_fkey")),
        sa.ForeignKeyConstraint(["fill_id"], ["fills.id"], name=op.f("device_events_fill_id_fkey")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("device_events_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("device_events_pkey")),
    )
    with op.batch_alter_table("device_events", schema=None) as batch_op:
        batch_op.create_index("device_events_fill_index", ["fill_id", "id"], unique=False)
        batch_op.create_index("device_events_number_unique", ["device_id", "number"], unique=True)
        batch_op.create_index("device_events_point_index", ["station_id", "point", "at"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("device_events", schema=None) as batch_op:
        batch_op.drop_index("device_events_point_index")
        batch_op.drop_index("device_events_number_unique")
        batch_op.drop_index("device_events_fill_index")

    op.drop_table("device_events")
    with op.batch_alter_table("fills", schema=None) as batch_op:
        batch_op.drop_index(
            "fills_running_index",
            postgresql_where=sa.text("state = 'running'"),
            sqlite_where=sa.text("state = 'running'"),
        )
        batch_op.drop_index("fills_point_index")
        batch_op.drop_index("fills_number_unique")

    op.drop_table("fills")
    with op.batch_alter_table("devices", schema=None) as batch_op:
        batch_op.drop_index(
            "devices_point_unique",
            postgresql_where=sa.text("revoked_at IS NULL AND kind IN ('pump', 'wash_bay')"),
            sqlite_where=sa.text("revoked_at IS NULL AND kind IN ('pump', 'wash_bay')"),
        )

    op.drop_table("devices")
