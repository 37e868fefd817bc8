"""Tiers and tasks."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "tasks",
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tasks_pkey")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index("tasks_name_version_unique", ["name", "version"], unique=True)
        batch_op.create_index("tasks_published_index", ["published_at"], unique=False)

    op.create_table(
        "tier_schemes",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("tier_schemes_pkey")),
    )
    with op.batch_alter_table("tier_schemes", schema=None) as batch_op:
        batch_op.create_index("tier_schemes_name_version_unique", ["name", "version"], unique=True)
        batch_op.create_index("tier_schemes_published_index", ["published_at"], unique=False)

    op.create_table(
        "bonuses",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=140), nullable=False),
        sa.Column("plan", sa.String(length=40), nullable=True),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reason", sa.JSON(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=True),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("reference", sa.String(length=140), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("revoked_at", Moment(), nullable=True),
        sa.Column("revoked_for", sa.String(length=40), nullable=True),
        sa.Column("revoked_by", sa.String(length=140), nullable=True),
        sa.CheckConstraint("points > 0", name=op.f("bonuses_points_check")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("bonuses_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("bonuses_pkey")),
        sa.UniqueConstraint("reference", name=op.f("bonuses_reference_unique")),
        sa.UniqueConstraint("revoked_by", name=op.f("bonuses_revoked_by_unique")),
    )
    with op.batch_alter_table("bonuses", schema=None) as batch_op:
        batch_op.create_index(
            "bonuses_cause_unique",
            ["customer_id", "cause", "key"],
            unique=True,
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )
        batch_op.create_index("bonuses_customer_index", ["customer_id", "id"], unique=False)

    op.create_table(
        "customer_days",
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("visits", sa.Integer(), nullable=False),
        sa.Column("spend_micros", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("litres_milli", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("litres_milli >= 0", name=op.f("customer_days_litres_check")),
        sa.CheckConstraint("points >= 0", name=op.f("customer_days_points_check")),
        sa.CheckConstraint("spend_micros >= 0", name=op.f("customer_days_spend_check")),
        sa.CheckConstraint("visits >= 0", name=op.f("customer_days_visits_check")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("customer_days_customer_id_fkey")),
        sa.PrimaryKeyConstraint("customer_id", "business_day", name=op.f("customer_days_pkey")),
    )
    op.create_table(
        "tier_moves",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("from_tier", sa.String(length=40), nullable=False),
        sa.Column("to_tier", sa.String(length=40), nullable=False),
        sa.Column("cause", sa.String(length=16), nullable=False),
        sa.Column("measures", sa.JSON(), nullable=False),
        sa.Column("moved_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("tier_moves_customer_id_fkey")),
        sa.ForeignKeyConstraint(["scheme"], ["tier_schemes.id"], name=op.f("tier_moves_scheme_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("tier_moves_pkey")),
    )
    with op.batch_alter_table("tier_moves", schema=None) as batch_op:
        batch_op.create_index("tier_moves_customer_index", ["customer_id", "id"], unique=False)

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tier_grace_until", sa.Date(), nullable=True))

    with op.batch_alter_table("returns", schema=None) as batch_op:
        batch_op.create_index("returns_booked_index", ["sale_id"], unique=False)

    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("sales_customer_index"))
        batch_op.create_index("sales_customer_index", ["customer_id", "business_day"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.drop_index("sales_customer_index")
        batch_op.create_index(batch_op.f("sales_customer_index"), ["customer_id", "sold_at"], unique=False)

    with op.batch_alter_table("returns", schema=None) as batch_op:
        batch_op.drop_index("returns_booked_index")

    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_column("tier_grace_until")

    with op.batch_alter_table("tier_moves", schema=None) as batch_op:
        batch_op.drop_index("tier_moves_customer_index")

    op.drop_table("tier_moves")
    op.drop_table("customer_days")
    with op.batch_alter_table("bonuses", schema=None) as batch_op:
        batch_op.drop_index("bonuses_customer_index")
        batch_op.drop_index(
            "bonuses_cause_unique",
            postgresql_where=sa.text("revoked_at IS NULL"),
            sqlite_where=sa.text("revoked_at IS NULL"),
        )

    op.drop_table("bonuses")
    with op.batch_alter_table("tier_schemes", schema=None) as batch_op:
        batch_op.drop_index("tier_schemes_published_index")
        batch_op.drop_index("tier_schemes_name_version_unique")

    op.drop_table("tier_schemes")
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.drop_index("tasks_published_index")
        batch_op.drop_index("tasks_name_version_unique")

    op.drop_table("tasks")
