"""Who is calling, and what they may see and change."""

from dataclasses import dataclass

from app.errors import AppError, Forbidden, NotFound

_JOB = "A job's token opens its own experiment only."
_BUILD = "A build's token opens its own files only."


@dataclass(frozen=True, slots=True)
class Caller:
    """A token's user. With `experiment_id` it is a job's token, which opens that experiment alone; with
    `build_id` a build's, which opens the files that its steps see."""

    user_id: int
    username: str
    email: str
    is_superuser: bool
    token_id: int
    token_hash: bytes
    experiment_id: int | None = None
    build_id: int | None = None

    @property
    def is_job(self) -> bool:
        return self.experiment_id is not None or self.build_id is not None


def may_see(caller: Caller, owner_id: int, is_public: bool) -> bool:
    """Owners and superusers see everything of a project; everyone sees a public one."""
    return is_public or caller.is_superuser or caller.user_id == owner_id


def not_there(caller: Caller, sentence: str) -> AppError:
    """The error for a path at which there is nothing. A token of a job or a build hears the same there as of
    what is not its own."""
    if caller.build_id is not None:
        return Forbidden(_BUILD)
    return Forbidden(_JOB) if caller.experiment_id is not None else NotFound(sentence)


def check_access(
    caller: Caller,
    owner_id: int,
    is_public: bool,
    *,
    change: bool,
    experiment_id: int | None = None,
    build_id: int | None = None,
) -> None:
    """Let the caller by, or raise NotFound for what it may not see, Forbidden for what it may not change.

    A job's token opens only its own experiment (`experiment_id`, None for anything else), a build's only
    its own files (`build_id`).
    """
    if caller.build_id is not None:
        if caller.build_id != build_id:
            raise Forbidden(_BUILD)
        return
    if caller.experiment_id is not None:
        if caller.experiment_id != experiment_id:
            raise Forbidden(_JOB)
        return
    if not may_see(caller, owner_id, is_public):
        raise NotFound("There is no such project.")
    if change and not (caller.is_superuser or caller.user_id == owner_id):
        raise Forbidden("This project can be changed by its owner and superusers only.")
