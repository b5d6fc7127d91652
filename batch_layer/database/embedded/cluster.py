"""The server's data directory: made whole or not at all, checked, and configured at every start."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from condvest.batch_layer.database.embedded.account import ServerAccount
from condvest.batch_layer.database.embedded.binaries import major_of
from condvest.batch_layer.database.embedded.listening import Listening
from condvest.batch_layer.database.embedded.process import SUPERUSER, name_for_server, stored_major
from condvest.batch_layer.database.embedded.socket_directory import PORT
from condvest.batch_layer.shared.errors import CondvestError, DatabaseError, DatabaseFull

_SETTINGS_FILE = "condvest.conf"
_ACCESS_FILE = "condvest_hba.conf"
_CALLERS_FILE = "condvest_ident.conf"

_ACCESS = """\
# Written by Condvest at every start. The operating system says who calls; condvest_ident.conf, who may.
local all all peer map=condvest
"""

_FIRST_WITH_ALL = 16
"""The first major version whose map of callers knows the word ``all`` for every role."""

_SETTINGS = """\
# Written by Condvest at every start: changes made here are lost. Use ALTER SYSTEM, which prevails.
listen_addresses = '{listen_addresses}'
port = {port}
unix_socket_directories = '{socket_directory}'
unix_socket_permissions = 0700
hba_file = '{access_file}'
ident_file = '{callers_file}'
max_connections = 40
shared_buffers = {shared_buffers}MB
maintenance_work_mem = {maintenance_work_mem}MB
max_wal_size = 2GB
# No replica and no archive reads the log, so COPY into a table of the same transaction may skip it.
wal_level = minimal
max_wal_senders = 0
fsync = on
# Off gained nothing when it was measured, and lost a commit when the server was killed.
synchronous_commit = on
autovacuum = on
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
logging_collector = off
log_checkpoints = off
log_line_prefix = '%m [%p] '
"""

_NEEDED = (
    *("PATH", "TMPDIR", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    # By these a user id without a name gets one.
    *("LD_PRELOAD", "NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP"),
)
_MEBIBYTE = 2**20
_NO_ROOM = ("No space left on device", "Disk quota exceeded")


def make_cluster(data: Path, account: ServerAccount, binaries: Path, *, lock: int) -> None:
    """Make the data directory ``data`` by ``initdb``, beside it first, so that it is there only when whole.

    ``lock`` is the descriptor of a lock that ``initdb`` keeps while it lives: should we be killed, the next
    process waits for the end of it.

    Raises:
        DatabaseFull: the disk has no room.
        DatabaseError: ``initdb`` failed; the message quotes it.
    """
    unfinished = data.with_name(data.name + ".new")
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    options = ("--locale=C", "--encoding=UTF8", "--auth=peer", "--data-checksums", "--no-instructions")
    said = subprocess.run(
        [*account.prefix, str(binaries / "initdb"), *options, "-U", SUPERUSER, "-D", str(unfinished)],
        check=False,
        cwd="/",
        env=server_environment(),
        pass_fds=(lock,),
        # Ctrl-C in a terminal must not kill it half way while we are cleaning up.
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    if said.returncode != 0:
        raise start_failure(f"initdb could not make {data}", said.stdout, data)
    with (unfinished / "postgresql.conf").open("a", encoding="utf-8") as file:
        file.write(f"\ninclude_if_exists = '{_SETTINGS_FILE}'\n")
    unfinished.rename(data)
    _sync_directory(data.parent)


def check_major(data: Path, account: ServerAccount, binaries: Path) -> None:
    """Refuse a data directory that these programs cannot open.

    Raises:
        DatabaseError: it was made by another major version, or is no data directory.
    """
    made_by = stored_major(data)
    if made_by is None:
        raise DatabaseError(
            f"{data} is not a PostgreSQL data directory (it has no PG_VERSION). Move it away, and a new one "
            "is made"
        )
    if made_by != major_of(account.version):
        raise DatabaseError(
            f"the database in {data} was made by PostgreSQL {made_by}, and the programs in {binaries} are of "
            f"version {account.version} and cannot open it. Set CONDVEST_POSTGRES_BIN to the programs of "
            f"PostgreSQL {made_by}; or move {data.parent} away and load anew from the archive"
        )


def write_settings(
    data: Path, account: ServerAccount, socket_directory: Path, listening: Listening | None = None
) -> None:
    """Write our settings into ``data``, so that those of a newer Condvest hold from the next start.

    Among them is who may log in: the account's callers, by the operating system's word; and where it listens
    on TCP, roles other than ours by a password.

    Raises:
        OSError: the account may not write there.
    """
    memory = _memory_mebibytes()
    text = _SETTINGS.format(
        port=PORT if listening is None else listening.port,
        listen_addresses="" if listening is None else listening.address,
        socket_directory=_quoted_in_list(socket_directory),
        shared_buffers=max(16, min(256, memory // 8)),
        maintenance_work_mem=max(16, min(128, memory // 16)),
        access_file=_quoted(str(name_for_server(data) / _ACCESS_FILE)),
        callers_file=_quoted(str(name_for_server(data) / _CALLERS_FILE)),
    )
    role = "all" if int(major_of(account.version)) >= _FIRST_WITH_ALL else SUPERUSER
    callers = "".join(f'condvest "{caller}" {role}\n' for caller in account.callers)
    account.write(data / _CALLERS_FILE, callers)
    access = _ACCESS if listening is None else _ACCESS + listening.access
    account.write(data / _ACCESS_FILE, access)
    account.write(data / _SETTINGS_FILE, text)


def server_environment() -> dict[str, str]:
    """Return the environment of the server's programs: what they need to run, in UTC and untranslated.

    Nothing else of ours: whoever may log in to the server can read its environment, for as long as it is up.
    """
    needed = {name: os.environ[name] for name in _NEEDED if name in os.environ}
    return {**needed, "LC_ALL": "C", "TZ": "UTC"}


def start_failure(what: str, log: str, directory: Path) -> CondvestError:
    """Return the error for a program that failed: what it was about, the end of its log, and what to do."""
    last_lines = "\n  ".join(log.strip().splitlines()[-12:]) or "(it said nothing)"
    if any(phrase in log for phrase in _NO_ROOM):
        return DatabaseFull(
            f"{what}: no room on the disk of {directory}. Free some space, or set CONDVEST_HOME to another "
            f"disk. It said:\n  {last_lines}"
        )
    return DatabaseError(f"{what}. Mend what it complains of and try again. It said:\n  {last_lines}")


def _memory_mebibytes() -> int:
    physical = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MEBIBYTE
    limit = Path("/sys/fs/cgroup/memory.max")  # a container's share of it, on Linux
    allowed = limit.read_text(encoding="ascii").strip() if limit.exists() else "max"
    return physical if allowed == "max" else min(physical, int(allowed) // _MEBIBYTE)


def _quoted_in_list(path: Path) -> str:
    # One element of a list of names, within a string of the settings file.
    return _quoted('"' + str(path).replace('"', '""') + '"')


def _quoted(text: str) -> str:
    # Within a string of the settings file.
    return text.replace("\\", "\\\\").replace("'", "''")


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
