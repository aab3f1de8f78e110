"""Signs of life of parts of the service that others only meet through the database."""

from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created


class Heartbeat(Base):
    """When a part of the service (`reconciler`) was last seen at work."""

    __tablename__ = "heartbeats"

    name: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[Created]
