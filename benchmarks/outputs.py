"""An experiment's outputs as one archive, beside isal alone."""

import random
import time

import httpx

from benchmarks.bare_limits import packed_bytes
from benchmarks.logs import Watched, read, run
from benchmarks.service import Service
from benchmarks.table import Line

SIZE = 512  # MiB
WRITER = (
    'python3 -c "import os, random; r = random.Random(1); '
    "piece = b' '.join(b'%f' % r.random() for _ in range(120000)); "
    "f = open(os.environ['POLYAXON_RUN_OUTPUTS_PATH'] + '/model', 'wb'); "
    f'[f.write(piece) for _ in range({SIZE} * 1048576 // len(piece))]; print(f.tell())"'
)


def output_lines(up: Service, client: httpx.Client) -> list[Line]:
    """Digits, which pack about as well as weights printed as text."""
    path = run(client, WRITER)
    with client.stream("GET", f"{path}/logs", params={"follow": "true"}) as answer:
        size = int(answer.read())
    watched = Watched(up, path)
    with watched.running():
        began = time.perf_counter()
        read(client, f"{path}/outputs")
        reached = size / (time.perf_counter() - began) / 1e6
    numbers = random.Random(1)
    bare = packed_bytes(b" ".join(b"%f" % numbers.random() for _ in range(120_000)) * 4)
    return [Line("outputs as a tar.gz, beside isal", reached, "MB/s", bare, "350"), *watched.lines("outputs")]
