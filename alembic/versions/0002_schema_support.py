"""Say of each schema which releases run on it."""

from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"


def upgrade() -> None:
    # Every migration from here on adds its own row: with the last one's `oldest` while it only expands, with
    # a later one once it takes away what that release used.
    op.execute(
        """
        -- `oldest` is the revision of the oldest release that still runs on the schema at `revision`.
        CREATE TABLE schema_support (
            revision text NOT NULL,
            oldest text NOT NULL,
            CONSTRAINT pk_schema_support PRIMARY KEY (revision)
        )
        """
    )
    op.execute("INSERT INTO schema_support (revision, oldest) VALUES ('0002', '0001')")


def downgrade() -> None:
    op.execute("DROP TABLE schema_support")
