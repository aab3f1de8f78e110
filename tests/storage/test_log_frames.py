"""Frames give back what was put in, or say that they are damaged."""

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.logs.blocks import LogBlock
from app.storage.log_frames import DamagedLog, decode_frame, encode_frame, pack, unpack, unpacked_size
from tests.domain.logs.test_blocks import Row, block_of, rows_lists


@settings(deadline=None)
@given(rows_lists)
def test_a_frame_gives_back_its_block(rows: list[Row]) -> None:
    block = block_of(rows)
    assert decode_frame(encode_frame(block)) == block


def test_the_lines_of_a_build_have_no_job() -> None:
    block = block_of([Row(None, 0, "x")])
    assert decode_frame(encode_frame(block)) == block


@settings(deadline=None)
@given(rows_lists, st.data())
def test_a_frame_that_was_cut_or_changed_says_so(rows: list[Row], data: st.DataObject) -> None:
    frame = encode_frame(block_of(rows))
    place = data.draw(st.integers(0, len(frame) - 1))
    with pytest.raises(DamagedLog):
        decode_frame(frame[:place])
    changed = bytearray(frame)
    changed[place] ^= data.draw(st.integers(1, 255))
    try:
        block = decode_frame(bytes(changed))
    except DamagedLog:
        return
    assert block == block_of(rows)  # a bit that zstd itself doesn't use


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"BLF1",
        b"BLF1" + bytes(8),
        b"BLF1" + bytes(4) + b"\x02\0\0\0[]",
        b"BLF9" + bytes(4) + b"\x1b\0\0\0",
        b'BLF9\0\0\0\0\x15\0\0\0{"jobs":[],"gaps":[]}',
        b'BLF1\0\0\0\0\x16\0\0\0{"jobs":[],"gaps":[1]}',
    ],
)
def test_whole_bytes_that_are_no_frame_are_refused(raw: bytes) -> None:
    with pytest.raises(DamagedLog):
        decode_frame(pack(raw))


def test_a_frame_that_claims_to_be_huge_is_refused_before_memory_is_taken() -> None:
    assert unpacked_size(zstandard.ZstdCompressor().compress(bytes(1001))[:18]) == 1001
    with pytest.raises(DamagedLog, match="larger"):
        unpack(zstandard.ZstdCompressor().compress(bytes(1001)), 1000)


def test_a_line_of_usual_text_takes_few_bytes() -> None:
    text = b"".join(
        b"epoch %d step %07d loss=0.%04d acc=0.%04d\n" % (n // 100, n, n * 7919 % 10**4, n)
        for n in range(2000)
    )
    times = b"".join(b"2026-11-24T03:50:%02d.%06d" % (n // 50, n * 7919 % 10**6) for n in range(2000))
    block = LogBlock(2000, times, b"o" * 2000, text, (1,))
    assert len(encode_frame(block)) / 2000 < 20
