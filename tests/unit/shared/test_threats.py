"""Each test that docs/security.md names is there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "security.md").read_text()


def test_each_threat_names_a_test_that_is_there():
    named = re.findall(r"^\| .+ \| `([\w/.]+)::(\w+)` \|$", PAGE, re.MULTILINE)
    assert len(named) > 50
    gone = [
        f"{file}::{test}"
        for file, test in named
        if not re.search(rf"^ *def {test}\(", (TESTS / file).read_text(), re.MULTILINE)
    ]
    assert gone == []


def test_each_file_of_tests_that_the_page_names_is_there():
    named = set(re.findall(r"`(?:[\w/]+/)?(test_\w+\.py)`", PAGE))
    assert len(named) > 10
    assert named - {path.name for path in TESTS.rglob("test_*.py")} == set()


def test_no_line_of_the_tables_is_without_a_test():
    section = PAGE.partition("## What was tried")[2]
    heads = ("| what was tried | test |", "| what failed from the beginning | test |", "|---|---|")
    lines = [line for line in section.splitlines() if line.startswith("|")]
    assert [line for line in lines if line not in heads and "::test_" not in line] == []
    assert [lines.count(head) for head in heads] == [1, 1, 2]
