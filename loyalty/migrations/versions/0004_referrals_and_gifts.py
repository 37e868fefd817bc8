"""Referrals and gifts."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "gift_plans",
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("gift_plans_pkey")),
    )
    with op.batch_alter_table("gift_plans", schema=None) as batch_op:
        batch_op.create_index("gift_plans_name_version_unique", ["name", "version"], unique=True)
        batch_op.create_index("gift_plans_published_index", ["published_at"], unique=False)

    op.create_table(
        "referral_schemes",
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("referral_schemes_pkey")),
    )
    with op.batch_alter_table("referral_schemes", schema=None) as batch_op:
        batch_op.create_index("referral_schemes_name_version_unique", ["name", "version"], unique=True)
        batch_op.create_index("referral_schemes_published_index", ["published_at"], unique=False)

    op.create_table(
        "referral_codes",
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("code", sa.String(length=12), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("referral_codes_customer_id_fkey")),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("referral_codes_pkey")),
        sa.UniqueConstraint("code", name=op.f("referral_codes_code_unique")),
    )
    op.create_table(
        "referrals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("newcomer_id", sa.String(length=40), nullable=False),
        sa.Column("referrer_id", sa.String(length=40), nullable=False),
        sa.Column("scheme", sa.String(length=40), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["newcomer_id"], ["customers.id"], name=op.f("referrals_newcomer_id_fkey")),
        sa.ForeignKeyConstraint(["referrer_id"], ["customers.id"], name=op.f("referrals_referrer_id_fkey")),
        sa.ForeignKeyConstraint(["scheme"], ["referral_schemes.id"], name=op.f("referrals_scheme_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("referrals_pkey")),
        sa.UniqueConstraint("newcomer_id", name=op.f("referrals_newcomer_id_unique")),
    )
    with op.batch_alter_table("referrals", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("referrals_referrer_id_index"), ["referrer_id"], unique=False)

    op.create_table(
        "seen_devices",
        sa.Column("device", sa.LargeBinary(length=32), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("seen_devices_customer_id_fkey")),
        sa.PrimaryKeyConstraint("device", "customer_id", name=op.f("seen_devices_pkey")),
    )
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.create_index("customers_birthday_index", ["birth_month", "birth_day"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("customers", schema=None) as batch_op:
        batch_op.drop_index("customers_birthday_index")

    op.drop_table("seen_devices")
    with op.batch_alter_table("referrals", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("referrals_referrer_id_index"))

    op.drop_table("referrals")
    op.drop_table("referral_codes")
    with op.batch_alter_table("referral_schemes", schema=None) as batch_op:
        batch_op.drop_index("referral_schemes_published_index")
        batch_op.drop_index("referral_schemes_name_version_unique")

    op.drop_table("referral_schemes")
    with op.batch_alter_table("gift_plans", schema=None) as batch_op:
        batch_op.drop_index("gift_plans_published_index")
        batch_op.drop_index("gift_plans_name_version_unique")

    op.drop_table("gift_plans")
