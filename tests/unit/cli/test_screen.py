"""What a terminal is shown: figures stay whole, and nothing moves the cursor."""

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from condvest.cli.output import screen
from condvest.cli.output.printable import printable


def shown(capsys, *args, **named):
    screen.table(*args, **named)
    return capsys.readouterr().out


def on_a_terminal(monkeypatch, width):
    """Let tables believe that they are shown on a terminal of so many columns."""

    def console(**options):
        return Console(file=io.StringIO(), force_terminal=True, no_color=True, width=width, **options)

    monkeypatch.setattr(screen, "Console", console)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (36.08, "36.08"),
        (631110.1, "631,110.10"),
        (1234567.891, "1,234,567.89"),
        (1.0, "1.00"),
        (0.5, "0.50"),
        (0.36, "0.36"),
        (0.1234, "0.1234"),
        (0.0004, "0.0004"),
        (-0.0004, "-0.0004"),
        (0.000012345, "0.00001234"),
        (0.0, "0.00"),
        (1e-9, "0.000000001"),
        (1.2341e-12, "1.234e-12"),
        (-5e-324, "-4.941e-324"),
        (123456789012345680.0, "123,456,789,012,345,680.00"),
        (1e300, "1.000e+300"),
        (float("inf"), "inf"),
        (None, ""),
        (2_000_000_000, "2,000,000,000"),
        (True, "yes"),
        ("a\x1b[2Jb\nc", r"a\x1b[2Jb\nc"),
    ],
)
def test_a_value_is_shown_as_people_read_it(capsys, value, text):
    lines = shown(capsys, ("symbol", "close"), [("X", value)]).splitlines()
    assert lines[1].removeprefix("X").strip() == text


@pytest.mark.parametrize(("volume", "text"), [(2410.0, "2,410"), (0.5, "0.50"), (1e9, "1,000,000,000")])
def test_whole_shares_have_no_decimals(capsys, volume, text):
    assert shown(capsys, ("volume",), [(volume,)]).split()[1] == text


@pytest.mark.parametrize("columns", ["0", "-5", "1", "many", ""])
@pytest.mark.parametrize("is_terminal", [False, True])
def test_no_width_that_the_environment_names_cuts_a_figure(capsys, monkeypatch, columns, is_terminal):
    monkeypatch.setenv("COLUMNS", columns)
    if is_terminal:
        on_a_terminal(monkeypatch, None)
    out = re.sub(r"\x1b\[\d*m", "", shown(capsys, HEADS, [*WIDE, *WIDE]))
    assert [line.split() for line in out.splitlines()[1:]] == [
        ["BRK.A", "2024-06-03", *["631,110.10"] * 4, "2,000,000,000", "open"]
    ] * 2


def test_figures_of_every_form_stand_to_the_right(capsys):
    values = [1e300, 0.5, float("inf"), float("nan"), -1.0, None]
    lines = shown(capsys, ("close", "end"), [(value, "|") for value in values]).splitlines()
    assert len({line.index("|") for line in lines[1:]}) == 1
    assert [line.split("|")[0].rstrip()[-1:] for line in lines[1:]] == ["0", "0", "f", "n", "0", ""]
    assert all(line.index("|") == len("1.000e+300") + 2 for line in lines[1:])


def test_a_column_named_exact_shows_every_digit(capsys):
    out = shown(
        capsys, ("session", "massive", "yahoo"), [("2013-01-03", 542.1034, 542.1036)], exact=("massive",)
    )
    assert out.split()[-2:] == ["542.1034", "542.10"]


WIDE = [("BRK.A", "2024-06-03", 631_110.1, 631_110.1, 631_110.1, 631_110.1, 2e9, "open")]
HEADS = ("symbol", "first", "open", "high", "low", "close", "volume", "")


@pytest.mark.parametrize("width", [20, 40, 80])
def test_no_figure_or_date_is_broken_on_a_narrow_terminal(capsys, monkeypatch, width):
    on_a_terminal(monkeypatch, width)
    _, row = re.sub(r"\x1b\[\d*m", "", shown(capsys, HEADS, WIDE)).splitlines()
    assert row.split() == ["BRK.A", "2024-06-03", *["631,110.10"] * 4, "2,000,000,000", "open"]


def test_long_text_is_folded_on_a_terminal_and_not_in_a_pipe(capsys, monkeypatch):
    reason = "open 51.0 outside low 50.2..high 50.9, " * 5
    (_, row) = shown(capsys, ("symbol", "reason"), [("ACME", reason)]).splitlines()
    assert row == f"ACME    {reason.rstrip()}"
    on_a_terminal(monkeypatch, 60)
    lines = re.sub(r"\x1b\[\d*m", "", shown(capsys, ("symbol", "reason"), [("ACME", reason)])).splitlines()
    assert len(lines) > 3
    assert max(map(len, lines)) <= 60


@given(st.text())
def test_no_text_can_move_the_cursor(text):
    """No control character, no change of writing direction; what can be printed stays as it is."""
    printed = printable(text)
    assert all(character.isprintable() or character in "\n\t" for character in printed)
    assert not text.isprintable() or printed == text
