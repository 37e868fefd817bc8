"""Till files.

Revision 0009, after 0008.
"""

import sqlalchemy as sa
from alembic import op

from loyalty.kit.database import Moment

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "till_files",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("station_id", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("mapping", sa.String(length=200), nullable=False),
        sa.Column("mapping_fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("problem", sa.Text(), nullable=True),
        sa.Column("read_at", Moment(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("rows_read", sa.Integer(), nullable=False),
        sa.Column("skipped", sa.Integer(), nullable=False),
        sa.Column("booked", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("differs", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("sent_by", sa.String(length=40), nullable=False),
        sa.Column("created_at", Moment(), nullable=False),
        sa.Column("finished_at", Moment(), nullable=True),
        sa.ForeignKeyConstraint(["station_id"], ["stations.id"], name=op.f("till_files_station_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("till_files_pkey")),
    )
    with op.batch_alter_table("till_files", schema=None) as batch_op:
        batch_op.create_index("till_files_content_unique", ["station_id", "fingerprint"], unique=True)
        batch_op.create_index(
            "till_files_waiting_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        )

    op.create_table(
        "till_file_refusals",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("file_id", sa.String(length=40), nullable=False),
        sa.Column("fate", sa.String(length=16), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(length=200), nullable=False),
        sa.Column("till", sa.String(length=200), nullable=False),
        sa.Column("number", sa.String(length=200), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["till_files.id"], name=op.f("till_file_refusals_file_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("till_file_refusals_pkey")),
    )
    with op.batch_alter_table("till_file_refusals", schema=None) as batch_op:
        batch_op.create_index("till_file_refusals_file_index", ["file_id", "id"], unique=False)

    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.create_index("sales_number_index", ["station_id", "number"], unique=False)


def downgrade() -> None:
    with op.batch_alter_table("sales", schema=None) as batch_op:
        batch_op.drop_index("sales_number_index")

    with op.batch_alter_table("till_file_refusals", schema=None) as batch_op:
        batch_op.drop_index("till_file_refusals_file_index")

    op.drop_table("till_file_refusals")
    with op.batch_alter_table("till_files", schema=None) as batch_op:
        batch_op.drop_index(
            "till_files_waiting_index",
            postgresql_where=sa.text("state = 'waiting'"),
            sqlite_where=sa.text("state = 'waiting'"),
        )
        batch_op.drop_index("till_files_content_unique")

    op.drop_table("till_files")
