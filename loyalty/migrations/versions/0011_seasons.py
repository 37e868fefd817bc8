"""Seasons."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "station_day_counts",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("last", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("station_day_counts_pkey")),
    )
    op.create_table(
        "station_days",
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("sales", sa.Integer(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("station_days_station_id_fkey")),
        sa.PrimaryKeyConstraint("station_id", "business_day", name=op.f("station_days_pkey")),
    )


def downgrade() -> None:
    op.drop_table("station_days")
    op.drop_table("station_day_counts")
