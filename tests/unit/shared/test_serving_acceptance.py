"""Each test that docs/serving-acceptance.md names is there, and each line of its tables names one."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[2]
PAGE = (TESTS.parent / "docs" / "serving-acceptance.md").read_text()
HEADS = ("| what | test |", "|---|---|")


def test_each_line_names_a_test_that_is_there():
    lines = [line for line in PAGE.splitlines() if line.startswith("|") and line not in HEADS]
    named = [re.search(r" \| `([\w/.]+)::(\w+)` \|$", line) for line in lines]
    assert [line for line, name in zip(lines, named, strict=True) if name is None] == []
    gone = [
        f"{name[1]}::{name[2]}"
        for name in named
        if not re.search(rf"^def {name[2]}\(", (TESTS / name[1]).read_text(), re.MULTILINE)
    ]
    assert gone == []
    assert len(named) > 60
