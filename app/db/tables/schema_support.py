"""Which releases run on which schema, for those that are older than it."""

from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base


class SchemaSupport(Base):
    """`oldest` is the revision of the oldest release that still runs on the schema at `revision`. Migrations
    write it; a release that doesn't know the database's revision reads here whether it may go on."""

    __tablename__ = "schema_support"

    revision: Mapped[str] = mapped_column(primary_key=True)
    oldest: Mapped[str]
