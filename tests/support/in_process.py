"""The command line in this process: what it prints, and the code with which it exits."""

import io
import json
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from condvest.cli import main


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@dataclass(frozen=True)
class Program:
    """`condvest` on one database, that of the home if its URL is None, and one home."""

    url: str | None
    home: object

    def __call__(self, *arguments):
        # Arrow writes bytes, the rest text.
        out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        database = ["--database-url", self.url] if self.url is not None else []
        asked = ["condvest", *database, "--home", str(self.home), *map(str, arguments)]
        before = signal.getsignal(signal.SIGTERM)
        code = 0
        try:
            with mock.patch.object(sys, "argv", asked), redirect_stdout(out), redirect_stderr(err):
                main()
        except SystemExit as ended:
            code = ended.code or 0
        finally:
            signal.signal(signal.SIGTERM, before)
        return Ran(code, *(said.buffer.getvalue().decode() for said in (out, err)))

    def done(self, *arguments, code=0):
        """Run, insist on the exit code, and return what was printed."""
        ran = self(*arguments)
        assert ran.code == code, ran.err
        return ran
