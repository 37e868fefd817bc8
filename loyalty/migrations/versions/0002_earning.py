"""Earning.

Revision 0002, after 0001.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "budget_uses",
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("period", sa.String(length=10), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_closed", sa.Boolean(), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("budget_uses_points_check")),
        sa.PrimaryKeyConstraint("rule_set", "rule", "period", name=op.f("budget_uses_pkey")),
    )
    op.create_table(
        "customers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("birth_month", sa.Integer(), nullable=True),
        sa.Column("birth_day", sa.Integer(), nullable=True),
        sa.Column("tier", sa.String(length=40), nullable=False),
        sa.Column("tier_coefficient", sa.Integer(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("erased_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("customers_pkey")),
    )
    op.create_table(
        "members",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("members_pkey")),
    )
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.create_index(
            "members_open_index",
            ["state", "id"],
            unique=False,
            postgresql_where=sa.text("state IN ('new', 'leaving')"),
            sqlite_where=sa.text("state IN ('new', 'leaving')"),
        )

    op.create_table(
        "rule_sets",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("program", sa.String(length=32), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("published_at", Moment(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("rule_sets_pkey")),
    )
    with op.batch_alter_table("rule_sets", schema=None) as batch_op:
        batch_op.create_index("rule_sets_name_version_unique", ["name", "version"], unique=True)
        batch_op.create_index("rule_sets_published_index", ["published_at"], unique=False)

    op.create_table(
        "stations",
        sa.Column("id", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("region", sa.String(length=40), nullable=False),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("stations_pkey")),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("text_version", sa.String(length=40), nullable=False),
        sa.Column("is_given", sa.Boolean(), nullable=False),
        sa.Column("at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("consents_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("consents_pkey")),
    )
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.create_index("consents_customer_index", ["customer_id", "purpose", "id"], unique=False)

    op.create_table(
        "identifiers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=80), nullable=False),
        sa.Column("added_at", Moment(), nullable=False),
        sa.Column("removed_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("identifiers_customer_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("identifiers_pkey")),
    )
    with op.batch_alter_table("identifiers", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("identifiers_customer_id_index"), ["customer_id"], unique=False)
        batch_op.create_index(
            "identifiers_kind_value_unique",
            ["kind", "value"],
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL"),
        )

    op.create_table(
        "remainders",
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("rule_set", sa.String(length=64), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("remainders_customer_id_fkey")),
        sa.PrimaryKeyConstraint("customer_id", "rule_set", "rule", name=op.f("remainders_pkey")),
    )
    op.create_table(
        "sales",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("till", sa.String(length=12), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("sold_at", Moment(), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=True),
        sa.Column("shown", sa.String(length=100), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("rule_set", sa.String(length=40), nullable=True),
        sa.Column("received_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("sales_customer_id_fkey")),
        sa.ForeignKeyConstraint(["rule_set"], ["rule_sets.id"], name=op.f("sales_rule_set_fkey")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("sales_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("sales_pkey")),
    )
    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.create_index("sales_customer_index", ["customer_id", "sold_at"], unique=False)
        batch_op.create_index("sales_document_unique", ["station_id", "business_day", "till", "number"], unique=True)
        batch_op.create_index(
            "sales_uncovered_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("outcome = 'uncovered'"),
            sqlite_where=sa.text("outcome = 'uncovered'"),
        )

    op.create_table(
        "awards",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("sale_id", sa.String(length=40), nullable=False),
        sa.Column("customer_id", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=64), nullable=False),
        sa.Column("rule_set", sa.String(length=40), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("awards_points_check")),
        sa.ForeignKeyConstraint(["customer_id"], ["customers.id"], name=op.f("awards_customer_id_fkey")),
        sa.ForeignKeyConstraint(["rule_set"], ["rule_sets.id"], name=op.f("awards_rule_set_fkey")),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("awards_sale_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("awards_pkey")),
        sa.UniqueConstraint("reference", name=op.f("awards_reference_unique")),
    )
    with op.batch_alter_table("awards", schema=None) as batch_op:
        batch_op.create_index("awards_customer_index", ["customer_id", "id"], unique=False)
        batch_op.create_index("awards_sale_rule_unique", ["sale_id", "rule"], unique=True)

    op.create_table(
        "returns",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("business_day", sa.Date(), nullable=False),
        sa.Column("till", sa.String(length=12), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("sale_day", sa.Date(), nullable=False),
        sa.Column("sale_till", sa.String(length=12), nullable=False),
        sa.Column("sale_number", sa.String(length=32), nullable=False),
        sa.Column("sale_id", sa.String(length=40), nullable=True),
        sa.Column("problem", sa.String(length=500), nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("received_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["sale_id"], ["sales.id"], name=op.f("returns_sale_id_fkey")),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("returns_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("returns_pkey")),
    )
    with op.batch_alter_table("returns", schema=None) as batch_op:
        batch_op.create_index("returns_document_unique", ["station_id", "business_day", "till", "number"], unique=True)
        batch_op.create_index(
            "returns_open_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("sale_id IS NULL"),
            sqlite_where=sa.text("sale_id IS NULL"),
        )
        batch_op.create_index(
            "returns_sale_index", ["station_id", "sale_day", "sale_till", "sale_number"], unique=False
        )

    op.create_table(
        "take_backs",
        sa.Column("return_id", sa.String(length=40), nullable=False),
        sa.Column("award_id", sa.String(length=40), nullable=False),
        sa.Column("points", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.String(length=140), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.CheckConstraint("points >= 0", name=op.f("take_backs_points_check")),
        sa.ForeignKeyConstraint(["award_id"], ["awards.id"], name=op.f("take_backs_award_id_fkey")),
        sa.ForeignKeyConstraint(["return_id"], ["returns.id"], name=op.f("take_backs_return_id_fkey")),
        sa.PrimaryKeyConstraint("return_id", "award_id", name=op.f("take_backs_pkey")),
        sa.UniqueConstraint("reference", name=op.f("take_backs_reference_unique")),
    )
    with op.batch_alter_table("take_backs", schema=None) as batch_op:
        batch_op.create_index("take_backs_award_index", ["award_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("take_backs", schema=None) as batch_op:
        batch_op.drop_index("take_backs_award_index")

    op.drop_table("take_backs")
    with op.batch_alter_table("returns", schema=None) as batch_op:
        batch_op.drop_index("returns_sale_index")
        batch_op.drop_index(
            "returns_open_index", postgresql_where=sa.text("sale_id IS NULL"), sqlite_where=sa.text("sale_id IS NULL")
        )
        batch_op.drop_index("returns_document_unique")

    op.drop_table("returns")
    with op.batch_alter_table("awards", schema=None) as batch_op:
        batch_op.drop_index("awards_sale_rule_unique")
        batch_op.drop_index("awards_customer_index")

    op.drop_table("awards")
    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.drop_index(
            "sales_uncovered_index",
            postgresql_where=sa.text("outcome = 'uncovered'"),
            sqlite_where=sa.text("outcome = 'uncovered'"),
        )
        batch_op.drop_index("sales_document_unique")
        batch_op.drop_index("sales_customer_index")

    op.drop_table("sales")
    op.drop_table("remainders")
    with op.batch_alter_table("identifiers", schema=None) as batch_op:
        batch_op.drop_index(
            "identifiers_kind_value_unique",
            postgresql_where=sa.text("removed_at IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("identifiers_customer_id_index"))

    op.drop_table("identifiers")
    with op.batch_alter_table("consents", schema=None) as batch_op:
        batch_op.drop_index("consents_customer_index")

    op.drop_table("consents")
    op.drop_table("stations")
    with op.batch_alter_table("rule_sets", schema=None) as batch_op:
        batch_op.drop_index("rule_sets_published_index")
        batch_op.drop_index("rule_sets_name_version_unique")

    op.drop_table("rule_sets")
    with op.batch_alter_table("members", schema=None) as batch_op:
        batch_op.drop_index(
            "members_open_index",
            postgresql_where=sa.text("state IN ('new', 'leaving')"),
            sqlite_where=sa.text("state IN ('new', 'leaving')"),
        )

    op.drop_table("members")
    op.drop_table("customers")
    op.drop_table("budget_uses")
