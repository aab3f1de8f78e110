"""Tokens of builds: each opens the files that the build's steps see, and nothing else."""

from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"


def upgrade() -> None:
    # A table of their own: a release that doesn't know them must not take one for its user's.
    op.execute(
        """
        CREATE TABLE build_tokens (
            hash bytea NOT NULL,
            build_id bigint NOT NULL,
            created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            CONSTRAINT pk_build_tokens PRIMARY KEY (hash),
            CONSTRAINT fk_build_tokens_build_id_builds FOREIGN KEY (build_id)
                REFERENCES builds (id) ON DELETE CASCADE
        )
        """
    )
    op.execute("CREATE INDEX ix_build_tokens_build_id ON build_tokens (build_id)")
    op.execute("INSERT INTO schema_support (revision, oldest) VALUES ('0003', '0001')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_support WHERE revision = '0003'")
    op.execute("DROP TABLE build_tokens")
