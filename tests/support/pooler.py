"""PgBouncer before a server of the tests."""

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
"""The program, None where it is not installed."""

_SETTINGS = """\
[databases]
* = {server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
{more}
"""


@contextmanager
def pooler(url, directory, mode, *, size=20, more=""):
    """Run PgBouncer in a pool mode before the server of a URL; yield the URL of the database through it."""
    parts = urlsplit(url)
    user, password = unquote(parts.username), unquote(parts.password or "")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    users = Path(directory, "users")
    users.write_text('"{}" "{}"\n'.format(user, password.replace('"', '""')))
    quoted = password.replace("'", "''")
    server = f"host={parts.hostname} port={parts.port} user={user}"
    server += f" password='{quoted}'" if quoted else ""  # an empty one makes PgBouncer ignore the line
    settings = Path(directory, "pgbouncer.ini")
    settings.write_text(
        _SETTINGS.format(server=server, port=port, users=users, mode=mode, size=size, more=more)
    )
    account = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
    for path in (users, settings):
        path.chmod(0o644)
    with subprocess.Popen(
        [PGBOUNCER, str(settings)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, **account
    ) as process:
        try:
            for line in process.stderr:
                if "process up" in line:
                    break
            yield f"postgresql://{user}@127.0.0.1:{port}{parts.path}"
        finally:
            process.terminate()
            process.communicate()
