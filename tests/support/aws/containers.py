"""Docker for the tests of the image: the daemon that answers, or one of our own; the image; jobs; a registry.

A daemon of our own needs root, Debian's packages and a base image; install_container_tools.sh gets both. Its
data lie in a new directory, so that nothing is left of it.
"""

import fcntl
import os
import re
import shutil
import socket
import subprocess
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.infrastructure.workshop import ROOT, TOOLS, missing
from tests.support.awaiting import wait_for
from tests.support.aws import artefacts

IMAGES = ROOT / "batch_layer/processing/container_images"
INSTALL = Path(__file__).with_name("install_container_tools.sh")
BASE = TOOLS / "base-trixie.tar.gz"
BASE_NAME = re.search(r"^ARG BASE=(.*)$", (IMAGES / "Dockerfile").read_text(), re.MULTILINE)[1]

_JOBS = ROOT / "batch_layer/infrastructure/modules/processing/jobs.tf"
_SHELL = re.search(r"<<-SHELL\n(.*?)\n *SHELL\n", _JOBS.read_text(), re.DOTALL)[1]


def answers(environ=os.environ):
    """Tell whether a Docker daemon answers."""
    if shutil.which("docker") is None:
        return False
    asked = subprocess.run(["docker", "version"], env=environ, capture_output=True, check=False)
    return asked.returncode == 0


@contextmanager
def docker():
    """Yield a `Docker`: the machine's own if it answers, else one that ends with the block."""
    if answers():
        yield Docker(dict(os.environ))
        return
    if os.geteuid() != 0:
        missing(
            "no Docker daemon answers; start one, or run as root on Debian: the tests start their own then"
        )
    _install("daemon", BASE)
    with tempfile.TemporaryDirectory(prefix="condvest-docker-") as folder, _daemon(Path(folder)) as daemon:
        # In place of the one that the Dockerfile names, which no registry is asked for here.
        daemon("import", str(BASE), BASE_NAME)
        yield daemon


def _install(*what):
    TOOLS.mkdir(parents=True, exist_ok=True)
    with (TOOLS / "container-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run([INSTALL, *what], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        missing(f"{INSTALL.name} {what[0]} failed: {done.stderr[-2000:]}")


@contextmanager
def _daemon(folder):
    environ = os.environ | {"DOCKER_HOST": f"unix://{folder}/socket", "DOCKER_CONFIG": str(folder / "config")}
    folders = ["--data-root", folder / "data", "--exec-root", folder / "exec", "--pidfile", folder / "pid"]
    network = ["--iptables=false", "--ip6tables=false", "--bridge=none"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            ["dockerd", "--host", environ["DOCKER_HOST"], "--storage-driver", "overlay2", *network, *folders],
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(lambda: answers(environ), process)
            yield Docker(environ)
        finally:
            process.terminate()
            process.wait()
            # The daemon leaves a name space of the network mounted there.
            mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
            for mounted in [mount for mount in mounts if mount.startswith(f"{folder}/")][::-1]:
                subprocess.run(["umount", "--lazy", mounted], check=True)


class Docker:
    """One daemon."""

    def __init__(self, environ):
        self._environ = environ | {"DOCKER_BUILDKIT": "0"}

    def __call__(self, *arguments):
        """Run a command of docker and return what it printed; it has to succeed."""
        done = subprocess.run(
            ["docker", *arguments], env=self._environ, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def build(self, out, *options):
        """Run build_container.sh as it is; return the last line of what it printed."""
        done = subprocess.run(
            [IMAGES / "build_container.sh", "--out", out, *options],
            env=self._environ | artefacts.build_environ(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout.splitlines()[-1]

    def forget(self, *names):
        """Remove images, by these names as far as they are there."""
        for name in names:
            if self("images", "--quiet", name):
                self("rmi", "--force", name)

    @contextmanager
    def job(self, image, *arguments, **environ):
        """Start a job as its definition for Batch says: its shell, an ordinary user, a read-only root."""
        given = {"AWS_BATCH_JOB_ID": "job", "AWS_BATCH_JOB_ATTEMPT": "1", **environ}
        name = f"condvest-test-{uuid.uuid4().hex[:12]}"
        limits = ["--read-only", "--network", "host"]
        variables = [word for pair in given.items() for word in ("--env", "=".join(pair))]
        command = ["sh", "-c", _SHELL, "condvest", *arguments]
        self("run", "--detach", "--name", name, *limits, *variables, image, *command)
        try:
            yield Job(self, name)
        finally:
            self("rm", "--force", "--volumes", name)

    def run(self, image, *arguments, **environ):
        """Run a job; return its exit code and what it told."""
        with self.job(image, *arguments, **environ) as job:
            return job.wait()


class Job:
    """A container that runs."""

    def __init__(self, docker, name):
        self._docker = docker
        self._name = name

    def is_running(self):
        return self._docker("inspect", "--format", "{{.State.Running}}", self._name) == "true"

    def stop(self, seconds):
        """Send SIGTERM, as a reclaimed Spot task gets it, and SIGKILL after so many seconds."""
        self._docker("stop", "--time", str(seconds), self._name)

    def wait(self):
        """Return the exit code and what was told, standard output and error together, when it has ended."""
        code = int(self._docker("wait", self._name))
        done = subprocess.run(
            ["docker", "logs", self._name],
            env=self._docker._environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return code, done.stdout


@contextmanager
def registry(folder):
    """Yield where a registry of our own listens; what it takes lies in a directory."""
    _install("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = folder / "registry.yml"
    settings.write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'registry'}}}}}\nhttp: {{addr: '{address}'}}\n"
    )
    process = subprocess.Popen(
        ["docker-registry", "serve", settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(lambda: _is_listening(address), process)
        yield address
    finally:
        process.terminate()
        process.wait()


def _is_listening(address):
    try:
        return httpx.get(f"http://{address}/v2/").status_code == httpx.codes.OK
    except httpx.ConnectError:
        return False
