"""`make bench`: prints a table of operations with their bare limits and ratios, and keeps it."""

import argparse
import asyncio
import resource

from benchmarks.jobs import job_lines
from benchmarks.logs import flood_lines, follower_lines
from benchmarks.outputs import output_lines
from benchmarks.requests import create_lines, history_lines, large_list_line, prepare, request_lines
from benchmarks.service import Bare, Service, bare, service
from benchmarks.table import Line, keep


def _start_lines(up: Service, beside: Bare, idle: float) -> list[Line]:
    return [
        Line(
            "start to first answer (of `up`: Postgres, too)",
            up.start_seconds,
            "s",
            beside.start_seconds,
            "< 1",
        ),
        Line("serve: idle memory", idle, "MB", beside.idle_memory, "< 120"),
    ]


def main() -> None:
    """Measure everything, print, keep."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument(
        "--log-lines", type=int, default=10_000_000, help="of 100 bytes: 100 million are 10 GB"
    )
    log_lines: int = parser.parse_args().log_lines
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8192)), hard))  # 1,000 followers
    with service() as up, up.client() as client:
        idle = up.part("bunsen serve").memory_info().rss / 1e6
        tracked = prepare(client)
        with bare(up.database_url) as beside:
            lines = _start_lines(up, beside, idle)
            lines += flood_lines(up, client, log_lines, beside.port)
            lines += follower_lines(up, client, beside.process, beside.port)
            lines += output_lines(up, client)
            lines += job_lines(up, client)
            lines += asyncio.run(request_lines(up, beside.port, tracked))
            lines += history_lines(up, client, tracked)
            lines.append(asyncio.run(large_list_line(up, beside.port)))
            lines += asyncio.run(create_lines(up, beside.port))
    keep(lines, f"the log has {log_lines:,} lines of 100 bytes")


if __name__ == "__main__":
    main()
