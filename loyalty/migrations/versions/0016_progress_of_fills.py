"""Progress of fills.

Revision 0016, after 0015.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("device_events", schema=None) as batch_op:
        batch_op.create_index(
            "device_events_progress_index",
            ["id"],
            unique=False,
            postgresql_where=sa.text("kind = 'progress'"),
            sqlite_where=sa.text("kind = 'progress'"),
        )


def downgrade() -> None:
    with op.batch_alter_table("device_events", schema=None) as batch_op:
        batch_op.drop_index(
            "device_events_progress_index",
            postgresql_where=sa.text("kind = 'progress'"),
            sqlite_where=sa.text("kind = 'progress'"),
        )
