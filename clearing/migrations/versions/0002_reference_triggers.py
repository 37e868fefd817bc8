"""Triggers that give a table of reference data a new version with every change."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MERCHANT_COLUMNS = "number, id, name, status, created_at"
"""All but `next_nonce`, which every order changes and no copy has."""

PERSON_COLUMNS = "id, email, email_key, name, language, created_at"
"""All that copies have: a sign-in changes others."""

TABLES = {"merchants": f"UPDATE OF {MERCHANT_COLUMNS}", "staff_people": f"UPDATE OF {PERSON_COLUMNS}"} | dict.fromkeys(
    ("signer_keys", "programs", "agreements", "api_keys", "staff_seats"), "UPDATE"
)
"""Each table of reference data, and which updates change what its copies hold."""

RENEWAL = (
    "INSERT INTO reference_versions (table_name, version) VALUES ('{}', lower(hex(randomblob(16)))) "
    "ON CONFLICT (table_name) DO UPDATE SET version = excluded.version"
)


def upgrade() -> None:
    """Makes the triggers."""
    if op.get_bind().dialect.name == "sqlite":
        for table, updates in TABLES.items():
            for name, change in {"insert": "INSERT", "update": updates, "delete": "DELETE"}.items():
                trigger = f"CREATE TRIGGER {table}_reference_{name} AFTER {change} ON {table}"
                op.execute(f"{trigger} BEGIN {RENEWAL.format(table)}; END")
        return
    op.execute(
        "CREATE FUNCTION renew_reference_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "INSERT INTO reference_versions (table_name, version) "
        "VALUES (TG_TABLE_NAME, gen_random_uuid()::text) "
        "ON CONFLICT (table_name) DO UPDATE SET version = excluded.version; "
        "RETURN NULL; END $$"
    )
    for table, updates in TABLES.items():
        op.execute(
            f"CREATE TRIGGER {table}_reference_change AFTER INSERT OR DELETE OR TRUNCATE OR {updates} ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION renew_reference_version()"
        )


def downgrade() -> None:
    """Removes them."""
    if op.get_bind().dialect.name == "sqlite":
        for table in TABLES:
            for name in ("insert", "update", "delete"):
                op.execute(f"DROP TRIGGER {table}_reference_{name}")
        return
    for table in TABLES:
        op.execute(f"DROP TRIGGER {table}_reference_change ON {table}")
    op.execute("DROP FUNCTION renew_reference_version()")
