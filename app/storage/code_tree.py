"""The names and links of a code archive, checked as they would lie on a disk, without one."""

import tarfile
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

from app.storage.tar_reader import CodeLimits, bad_archive

_NAME_LIMIT = 255
_PATH_LIMIT = 4096
_LEVELS = 256
_LINKS = 10_000
_FOLLOWED = 40  # links that the kernel follows in one path
_STEPS = 4096


class Kind(Enum):
    """What a name stands for."""

    FOLDER = "a folder"
    FILE = "a file"
    LINK = "a link"


@dataclass(slots=True)
class Contents:
    """What the names of one file share: its SHA-256 (hex), and whether it has several names."""

    digest: str = ""
    linked: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """One name. A link has a target, a file has contents."""

    name: str
    parent: "Node | None"
    kind: Kind
    below: dict[str, "Node"] = field(default_factory=dict)
    target: str = ""
    contents: Contents = field(default_factory=Contents)

    @property
    def path(self) -> str:
        names, node = [], self
        while node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/".join(reversed(names))


class LinkRefused(Exception):
    """A link leads where it must not; the message ends a sentence that begins with it."""


class CodeTree:
    """Takes an archive's entries in order. What is refused is a BadInput with the entry's name."""

    def __init__(self, limits: CodeLimits) -> None:
        self._root = Node("", None, Kind.FOLDER)
        self._limits = limits
        self._links: list[Node] = []
        self.count = 0

    def add(self, entry: tarfile.TarInfo) -> Node | None:
        """The name of an entry, checked; None where it says nothing new (the outer folder).

        Refuses names that leave or are none, devices, what is in the way of another. The entry gets its name
        (and a hard link its target's) without detours. Links are judged by `check_links`.
        """
        names = _names(entry.name, entry.name)
        if not names:
            if entry.isdir():
                return None
            raise bad_archive("has no name", entry.name)
        node: Node | None
        if entry.isdir():
            node = self._put(names, Kind.FOLDER, entry)
        elif entry.isreg() and entry.type != tarfile.GNUTYPE_SPARSE:  # whose bytes are not all in it
            node = self._put(names, Kind.FILE, entry)
        elif entry.issym():
            node = self._put_link(names, entry)
        elif entry.islnk():
            node = self._put_hard_link(names, entry)
        elif entry.type == tarfile.GNUTYPE_SPARSE:
            raise bad_archive("is packed as a sparse file; pack it without --sparse", entry.name)
        else:
            raise bad_archive("is a device, a pipe or something else that is no file", entry.name)
        entry.name = "/".join(names)
        return node

    def check_links(self) -> None:
        """Refuse links that leave, wherever other links take them. After the last entry."""
        for link in self._links:
            try:
                self._follow(link.parent or self._root, link.target)
            except LinkRefused as error:
                raise bad_archive(str(error), link.path) from error

    def find(self, name: str) -> Node | None:
        """The file of that name, links followed; None where there is none."""
        try:
            node = self._follow(self._root, name)
        except LinkRefused:
            return None
        return node if node is not None and node.kind is Kind.FILE else None

    def _put(self, names: list[str], kind: Kind, entry: tarfile.TarInfo) -> Node:
        node = self._root
        for name in names[:-1]:
            node = self._below(node, name, Kind.FOLDER, entry)
        node = self._below(node, names[-1], kind, entry)
        if node.contents.linked:
            raise bad_archive("is there twice, and other entries are links to it", entry.name)
        return node

    def _put_link(self, names: list[str], entry: tarfile.TarInfo) -> Node | None:
        target = entry.linkname
        if target.startswith("/"):
            raise bad_archive("is a link that leaves the archive", entry.name)
        if not target or not _is_text(target) or len(target) > _PATH_LIMIT:
            raise bad_archive("is a link to what is no name", entry.name)
        node = self._put(names, Kind.LINK, entry)
        if node.target:
            if node.target != target:
                raise bad_archive("is there twice, as links to different things", entry.name)
            return None
        node.target = target
        self._links.append(node)
        if len(self._links) > _LINKS:
            raise bad_archive(f"has more than {_LINKS} links")
        return node

    def _put_hard_link(self, names: list[str], entry: tarfile.TarInfo) -> Node | None:
        targets = _names(entry.linkname, entry.name)
        if targets == names:
            return None
        other: Node | None = self._root
        for name in targets:
            other = other.below.get(name) if other is not None else None
        if other is None or other.kind is not Kind.FILE:
            raise bad_archive("is a link to what is no file before it in the archive", entry.name)
        node = self._put(names, Kind.FILE, entry)
        if node.contents.digest:
            raise bad_archive("is there twice, and a link", entry.name)
        node.contents = other.contents
        node.contents.linked = True
        entry.linkname = "/".join(targets)
        return node

    def _below(self, parent: Node, name: str, kind: Kind, entry: tarfile.TarInfo) -> Node:
        node = parent.below.get(name)
        if node is None:
            self.count += 1
            if self.count > self._limits.entries:
                raise bad_archive(f"has more than {self._limits.entries} entries")
            node = parent.below[name] = Node(name, parent, kind)
        elif node.kind is not kind:
            raise bad_archive(
                f"is in the way of another: {node.path[:200]!r} is {node.kind.value}", entry.name
            )
        return node

    def _follow(self, start: Node, path: str) -> Node | None:
        """What a path leads to; None for what is not there. Raises LinkRefused."""
        here, missing, links = start, 0, 0
        names = deque(path.split("/"))
        for _ in range(_STEPS):
            if not names:
                return None if missing else here
            name = names.popleft()
            below = None if missing else here.below.get(name)
            if name == "..":
                if missing:
                    missing -= 1
                elif here.parent is None:
                    raise LinkRefused("is a link that leaves the archive")
                else:
                    here = here.parent
            elif name in ("", "."):
                continue
            elif below is None:
                missing += 1
            elif below.kind is Kind.LINK:
                links += 1
                if links > _FOLLOWED:
                    break
                names.extendleft(reversed(below.target.split("/")))
            else:
                here = below
        raise LinkRefused("is a link that leads through too many others")


def _names(path: str, entry: str) -> list[str]:
    """The names in a path. Refuses what leads outside or could not be a name."""
    if path.startswith("/"):
        raise bad_archive("has an absolute name", entry)
    names = [name for name in path.split("/") if name not in ("", ".")]
    if ".." in names:
        raise bad_archive("has `..` in its name", entry)
    if "\0" in path:
        raise bad_archive("has a NUL in its name", entry)
    if not _is_text(path):
        raise bad_archive("has a name that is no text", entry)
    if len(path) > _PATH_LIMIT or len(names) > _LEVELS or any(len(n.encode()) > _NAME_LIMIT for n in names):
        raise bad_archive("has a name that is too long", entry)
    return names


def _is_text(name: str) -> bool:
    return "\0" not in name and not any("\ud800" <= character <= "\udfff" for character in name)
