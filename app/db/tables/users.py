"""Users, their tokens, and tickets that open one stream or page."""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.db.tables.base import Base, Created, Id


class User(Base):
    """A person. `password_hash` is argon2's; an inactive user can't log in and its tokens are dead."""

    __tablename__ = "users"

    id: Mapped[Id]
    username: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str | None]
    is_superuser: Mapped[bool] = mapped_column(default=False)
    is_active: Mapped[bool] = mapped_column(default=True)
    created_at: Mapped[Created]


class Token(Base):
    """A secret that stands for a user: only its SHA-256 is kept (the secret is 160 random bits).

    With `experiment_id` it is a job's token, which opens that experiment alone and is deleted with its
    attempt. Launching an attempt twice after a crash leaves two of them; both die with the attempt.
    """

    __tablename__ = "tokens"

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    name: Mapped[str | None]
    experiment_id: Mapped[int | None] = mapped_column(ForeignKey("experiments.id", ondelete="CASCADE"))
    attempt: Mapped[int | None]
    created_at: Mapped[Created]
    expires_at: Mapped[datetime | None]

    __table_args__ = (Index(None, "experiment_id", postgresql_where="experiment_id IS NOT NULL"),)


class Ticket(Base):
    """What a browser sends in place of a header: for one log stream, a TensorBoard's page or its cookie.

    `path` is the only path (for cookies: the prefix) that it opens; `used_at` closes a ticket of one use.
    It dies with the token that made it.
    """

    __tablename__ = "tickets"

    hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    kind: Mapped[str]
    path: Mapped[str]
    token_id: Mapped[int] = mapped_column(ForeignKey("tokens.id", ondelete="CASCADE"), index=True)
    experiment_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("experiments.id", ondelete="CASCADE"), index=True
    )
    created_at: Mapped[Created]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class LoginTry(Base):
    """How often a user was tried from an address since `since`: what `services/logins.py` bounds.

    `key` is the SHA-256 of both; a row that is older than the window counts for nothing and is deleted.
    """

    __tablename__ = "login_tries"

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    tries: Mapped[int]
    since: Mapped[Created] = mapped_column(index=True)
