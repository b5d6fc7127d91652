"""The Model Context Protocol, asked by its official client over standard input and output, and over HTTP."""

import asyncio
import json
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from mcp import Client, StdioServerParameters, stdio_client

import condvest
from tests.support.serving import serving

NAMES = ["find_instruments", "get_bars", "get_actions", "screen", "explain_bar", "data_status"]
LARGEST_SURFACE = 1_700 * 4
"""Characters of what every conversation holds: 1,700 tokens, of about four characters each."""


@pytest.fixture(scope="module")
def place(sample, tmp_path_factory):
    place = tmp_path_factory.mktemp("published")
    sample.done("publish", "--to", place)
    return place


@pytest.fixture(scope="module")
def published(place):
    return ("--source", "published", "--from", str(place), "--sql")


@pytest.fixture(scope="module", params=["stdio", "http"])
def calls(request, sample):
    """Give a function that makes calls in one connection, over each transport."""
    if request.param == "stdio":

        @asynccontextmanager
        async def connected():
            asked = StdioServerParameters(
                command=str(Path(sys.executable).with_name("condvest")), args=["mcp"], env=sample.environ
            )
            async with Client(stdio_client(asked)) as one:
                yield one

        yield lambda *asked: asyncio.run(asked_of(connected, asked))
        return
    with serving(sample, "--mcp") as server:

        @asynccontextmanager
        async def connected():
            async with Client(f"{server.base_url}/mcp") as one:
                yield one

        yield lambda *asked: asyncio.run(asked_of(connected, asked))


async def asked_of(connected, asked):
    async with connected() as client:
        if not asked:
            return (await client.list_tools()).tools
        results = [await client.call_tool(name, arguments) for name, arguments in asked]
    return [(result.is_error, result.content[0].text) for result in results]


def test_the_tools_are_those_of_the_contract_and_their_surface_is_small(calls):
    tools = calls()
    assert [tool.name for tool in tools] == NAMES
    assert all(tool.annotations.read_only_hint and not tool.annotations.destructive_hint for tool in tools)
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools)
    surface = json.dumps([tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools])
    assert len(surface) < LARGEST_SURFACE


def test_answers_are_those_of_the_program(calls, sample):
    bars, actions, found, past, gaps = calls(
        ("get_bars", {"symbols": ["AAPL"], "interval": 34, "start": "2011-01-01", "adjust": "none"}),
        ("get_actions", {"kind": "splits", "symbols": ["AAPL", "MSFT"]}),
        ("find_instruments", {"search": "aap"}),
        ("explain_bar", {"symbol": "IBM", "session": "2013-03-01"}),
        ("data_status", {"about": "gaps"}),
    )
    assert not any(is_error for is_error, _ in (bars, actions, found, past, gaps))
    first, _, csv = bars[1].partition("\n")
    written = sample.done(
        "bars", "AAPL", "--interval", "34", "--start", "2011-01-01", "--adjust", "none", "--format", "csv"
    )
    assert csv == written
    assert re.fullmatch(r"# 16 rows, data version d-[0-9a-f]{8}-[0-9:.]+", first)
    assert actions[1].splitlines()[1:3] == [
        "symbol,ex_date,split_from,split_to,price_factor,volume_factor",
        "AAPL,2000-06-21,1.0,2.0,0.25,4.0",
    ]
    assert [line.split(",")[1] for line in found[1].splitlines()[2:]] == ["AAPL"]
    assert "202.91" in past[1]
    assert gaps[1].partition("\n")[2] == sample.done("gaps", "--format", "csv")


def test_a_long_answer_is_cut_and_says_so(calls, settings):
    ((is_error, text),) = calls(("get_bars", {"symbols": ["IBM", "MSFT"], "interval": 1}))
    lines = text.splitlines()
    assert (is_error, len(text.encode()) < 12_400) == (False, True)
    whole = condvest.bars(["IBM", "MSFT"], interval=1, settings=settings)
    assert lines[0].startswith(f"# {len(whole)} rows")
    shown = int(re.search(r"only (\d+) of them are shown", lines[0])[1])
    assert shown > 50
    assert "use start, end or last" in lines[0]
    out = lines.index(f"# {len(whole) - shown} rows are left out here")
    rows = [line.split(",") for line in lines[2:out] + lines[out + 1 :]]
    wanted = [*whole["window"].to_pylist()[: out - 2], *whole["window"].to_pylist()[out - 2 - shown :]]
    at = lines[1].split(",").index("window")
    assert [int(row[at]) for row in rows] == wanted
    assert (rows[0][0], rows[-1][0]) == ("IBM", "MSFT")


REFUSED = [
    ("get_bars", {"symbols": ["AAPLE"]}, "did you mean AAPL?"),
    ("get_bars", {"symbols": ["AAPL"], "intervall": 5}, "did you mean interval?"),
    ("get_bars", {"symbols": []}, "symbols is needed"),
    ("get_bars", {}, "symbols is needed"),
    ("get_bars", {"symbols": ["AAPL"], "interval": 999}, "expected at most 252"),
    ("get_bars", {"symbols": [{"a": 1}]}, "expected a text, a number"),
    ("get_actions", {"kind": "mergers", "symbols": ["AAPL"]}, "choose one of splits, dividends"),
    ("explain_bar", {"symbol": "IBM", "session": "2013-03-02"}, "2013-03-02"),
    ("screen", {"sort": "beauty"}, "no column 'beauty'"),
    ("data_status", {"about": "runs", "symbols": ["AAPL"]}, "unknown parameter 'symbol'"),
    ("query", {"sql": "SELECT 1"}, "there is no tool 'query'"),
    ("drop_everything", {}, "there are find_instruments"),
]


def test_what_cannot_be_answered_is_an_error_that_says_what_to_do(calls):
    answers = calls(*[(name, arguments) for name, arguments, _ in REFUSED])
    for (name, arguments, said), (is_error, text) in zip(REFUSED, answers, strict=True):
        assert (is_error, said in text) == (True, True), (name, arguments, text)


def test_with_sql_there_is_a_seventh_tool(sample, published):
    with serving(sample, *published, "--mcp") as server:

        @asynccontextmanager
        async def connected():
            async with Client(f"{server.base_url}/mcp") as one:
                yield one

        tools = asyncio.run(asked_of(connected, ()))
        assert [tool.name for tool in tools] == [*NAMES, "query"]
        rows, hostile, runs = asyncio.run(
            asked_of(
                connected,
                [
                    ("query", {"sql": "SELECT count(*) AS n FROM splits"}),
                    ("query", {"sql": "COPY splits TO 'x'"}),
                    ("data_status", {"about": "runs"}),
                ],
            )
        )
        assert (rows[0], rows[1].splitlines()[1:]) == (False, ["n", "3"])
        assert (hostile[0], "expected one SELECT, got COPY" in hostile[1]) == (True, True)
        assert (runs[0], "run --provider sample" in runs[1]) == (False, True)


def test_the_guards_stand_before_the_tools_too(sample, published):
    with serving(sample, *published, "--mcp") as server:
        call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
        headers = {"Accept": "application/json, text/event-stream"}
        elsewhere = server.post("/mcp", json=call, headers=headers | {"Origin": "https://evil.example"})
        assert elsewhere.status_code == 403
        assert server.post("/mcp", json=call, headers=headers | {"Host": "evil.example"}).status_code == 403
        assert server.get("/mcp").status_code in (404, 405)
        assert server.post("/mcp", content=b"x" * 70_000, headers=headers).status_code == 413
        assert httpx.codes.is_client_error(server.post("/mcp", content=b"{", headers=headers).status_code)


def test_without_the_library_the_extra_is_named(sample):
    """As where `pip install condvest` was all: the library is hidden from the interpreter."""
    hidden = "import sys; sys.modules['mcp'] = None; from condvest.cli import main; main()"

    ran = subprocess.run(
        [sys.executable, "-c", hidden, "mcp"], env=sample.environ, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    assert "pip install 'condvest[serve,mcp]'" in ran.stderr
