"""What Postgres is told: its settings for one machine, and who may connect as whom."""

from collections.abc import Iterable, Mapping
from pathlib import Path

ADMIN = "postgres"
OWNER = "bunsen"
DATABASE = "bunsen"
PORT = 5432

# Safe before fast: fsync and synchronous_commit stay on. Small and quiet: no TCP, no replication, no
# parallel plans (a container's /dev/shm is 64 MB), input and output without helper processes. A client that
# was killed is noticed within 2 s, so that what its statement held is free again.
BASE: dict[str, str] = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "superuser_reserved_connections": "3",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "io_method": "sync",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "client_connection_check_interval": "2s",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] ",
    "log_error_verbosity": "terse",  # details would hold the values of rows
    "log_min_error_statement": "panic",
}


def server_settings(root: Path, socket: Path, changes: Mapping[str, str]) -> str:
    """The text of `postgresql.conf`, for files below `root`. What a person writes into its `local.conf`
    comes last and wins."""
    files = {
        "unix_socket_directories": quoted_path(socket),
        "hba_file": str(root / "pg_hba.conf"),
        "ident_file": str(root / "pg_ident.conf"),
    }
    lines = ["# Written anew at each start. Settings of your own go into local.conf beside this file."]
    lines += [f"{name} = {_literal(value)}" for name, value in (BASE | files | dict(changes)).items()]
    local = root / "local.conf"
    if local.exists():
        lines.append(f"include = {_literal(str(local))}")
    return "\n".join(lines) + "\n"


def host_rules() -> str:
    """The text of `pg_hba.conf`: over the socket alone, and only whom the map below names."""
    return f"local all all peer map={OWNER}\n"


def identity_map(system_users: Iterable[str]) -> str:
    """The text of `pg_ident.conf`: these users of the machine are the service, and the administrator."""
    pairs = [(user, role) for user in dict.fromkeys(system_users) for role in (OWNER, ADMIN)]
    return "".join(f'{OWNER} "{user}" "{role}"\n' for user, role in pairs)


def quoted_path(path: Path) -> str:
    """A path as one entry of a list of folders, whatever characters it has."""
    return '"' + str(path).replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
