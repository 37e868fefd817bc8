"""People."""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "failed_sign_ins",
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("since", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("failed_sign_ins_pkey")),
    )
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("login", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("totp_secret", sa.String(length=500), nullable=True),
        sa.Column("totp_step", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("link_hash", sa.LargeBinary(length=32), nullable=True),
        sa.Column("link_until", Moment(), nullable=True),
        sa.Column("joined_at", Moment(), nullable=True),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("people_pkey")),
        sa.UniqueConstraint("link_hash", name=op.f("people_link_hash_unique")),
        sa.UniqueConstraint("login", name=op.f("people_login_unique")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("used_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("recovery_codes_person_id_fkey")),
        sa.PrimaryKeyConstraint("person_id", "code_hash", name=op.f("recovery_codes_pkey")),
    )
    op.create_table(
        "staff_sessions",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("person_id", sa.String(length=40), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("browser", sa.String(length=200), nullable=False),
        sa.Column("seen_at", Moment(), nullable=False),
        sa.Column("ended_at", Moment(), nullable=True),
        sa.Column("created_at", Moment(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("staff_sessions_person_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("staff_sessions_pkey")),
        sa.UniqueConstraint("secret_hash", name=op.f("staff_sessions_secret_hash_unique")),
    )
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("staff_sessions_person_id_index"), ["person_id"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("staff_sessions", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("staff_sessions_person_id_index"))

    op.drop_table("staff_sessions")
    op.drop_table("recovery_codes")
    op.drop_table("people")
    op.drop_table("failed_sign_ins")
