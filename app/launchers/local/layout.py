"""Where the local launcher keeps what in the data folder, and who may pass."""

import uuid
from pathlib import Path

from app.disk import delete_tree
from app.domain.runs import JobRef

_PASS = 0o711  # others may go through to what is theirs, and list nothing
_CLOSED = 0o700


class Layout:
    """`jobs/NAME` is a job attempt's folder: the runner's files, and below `work` the job's own."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.jobs = self.data / "jobs"
        self.temporary = self.data / "tmp"
        self.outputs = self.data / "outputs"
        self.environments = self.data / "envs"
        self.runs = self.data / "runs"
        self.users = self.data / "users"
        self.cache = self.data / "cache"
        self.trash = self.data / "trash"

    def make(self) -> None:
        """Create what is missing, with these modes. Raises OSError."""
        self.data.mkdir(mode=_PASS, parents=True, exist_ok=True)
        passed = (self.jobs, self.temporary, self.outputs, self.environments)
        for folder in (*passed, self.runs, self.users, self.cache, self.trash):
            folder.mkdir(exist_ok=True)
            folder.chmod(_PASS if folder in passed else _CLOSED)

    def job(self, ref: JobRef) -> Path:
        """The folder of a job attempt."""
        return self.jobs / ref.name

    def job_temporary(self, ref: JobRef) -> Path:
        """Its folder for temporary files: short, since programs put sockets there (108 bytes at most)."""
        return self.temporary / f"{ref.uuid[:12]}-{ref.attempt}"

    def discard(self, path: Path) -> None:
        """Take a file or folder away in one step, then delete it. What is left of the delete, `empty_trash`
        finds. Nothing happens where there is none. Raises OSError."""
        hidden = self.trash / uuid.uuid4().hex
        try:
            if path.is_dir() and not path.is_symlink():
                path.chmod(_CLOSED)  # to move a folder is to write in it, which a sealed one forbids
            path.rename(hidden)
        except FileNotFoundError:
            return
        delete_tree(hidden)

    def empty_trash(self) -> None:
        """Delete what an earlier process left half deleted."""
        for entry in self.trash.iterdir():
            delete_tree(entry)


def ref_of(name: str) -> JobRef | None:
    """The job attempt of a folder's name; None where the name is not ours."""
    job, _, attempt = name.rpartition("-")
    return JobRef(job, int(attempt)) if job and attempt.isdecimal() else None
