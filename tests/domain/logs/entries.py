"""Log entries to test with, and the plainest reading of them that there is."""

from dataclasses import dataclass

from hypothesis import strategies as st

from app.domain.logs.blocks import STREAMS, LogBlock
from app.domain.logs.cri import CUT_NOTE, EPOCH, CriParser

Line = tuple[str, str, str]  # stream, time, text


@dataclass(frozen=True)
class Entry:
    """One entry as a runtime writes it; without a tag it is something else, as it stands."""

    second: int
    stream: str
    tag: str
    text: bytes

    @property
    def time(self) -> str:
        return f"2026-11-24T03:{self.second // 60:02}:{self.second % 60:02}.123456"

    def raw(self) -> bytes:
        head = f"{self.time}789Z {self.stream} {self.tag} ".encode() if self.tag else b""
        return head + self.text + b"\n"


texts = st.lists(
    st.sampled_from(
        [b"a", b"bc", b"\r", b" ", b"\x00", b"\xff", "é".encode(), b"\xe2\x82", b"\xac", b"%s", b'"']
    ),
    max_size=12,
).map(b"".join)


@st.composite
def logs(draw: st.DrawFn) -> list[Entry]:
    """Entries of both streams, whole and partial, with something between them that is no entry."""
    count = draw(st.integers(0, 25))
    plain = draw(st.booleans())
    tags = st.just("F") if plain else st.sampled_from(["F", "P", "F:x", ""])
    text = st.just(b"plain text") if plain else texts
    return [
        Entry(second, draw(st.sampled_from(list(STREAMS.values()))), draw(tags), draw(text))
        for second in range(count)
    ]


def naive(entries: list[Entry], limit: int) -> list[Line]:
    """The lines of a whole log, byte by byte."""
    lines: list[Line] = []
    state: dict[str, list[tuple[int, str]]] = {"stdout": [], "stderr": [], "": []}
    after_cr = dict.fromkeys(state, False)
    last = EPOCH.decode()

    def end(key: str, time: str) -> None:
        began = state[key][0][1] if state[key] else time
        text = bytes(byte for byte, _ in state[key])
        if len(text) > limit:
            text = text[:limit].decode(errors="ignore").encode() if _is_text(text) else text[:limit]
            text += CUT_NOTE
        lines.append((key or "stdout", began, text.decode(errors="replace")))
        state[key] = []

    for entry in entries:
        last = entry.time if entry.tag else last
        key = entry.stream if entry.tag else ""
        for byte in entry.text + (b"" if entry.tag == "P" else b"\n"):
            swallowed = byte == 10 and after_cr[key]
            after_cr[key] = byte == 13
            if byte in (10, 13):
                if not swallowed:
                    end(key, last)
            else:
                state[key].append((byte, last))
    for key in ("stdout", "stderr"):
        if state[key]:
            end(key, last)
    return lines


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def lines_of(*blocks: LogBlock) -> list[Line]:
    """What a reader would see of blocks."""
    return [
        (STREAMS[kind], time.decode(), text.decode())
        for block in blocks
        for kind, time, text in zip(block.kinds, block.line_times(), block.lines(), strict=True)
    ]


def parse(data: bytes, state: bytes = b"") -> list[Line]:
    """The lines of a whole log."""
    parser = CriParser(1, state)
    return lines_of(parser.feed(data), parser.finish())
