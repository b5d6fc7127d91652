"""The page on vendors names, for each statement, a source and a test that there is."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
STATEMENT = re.compile(
    r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| `(tests/\S+\.py)::(test_\w+)` \|$", re.MULTILINE
)


def test_every_statement_names_a_source_and_a_test_that_exists():
    page = (ROOT / "docs/vendors.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| subject")]
    statements = STATEMENT.findall(page)
    assert len(statements) == len(lines) > 12
    for _, _, _, path, name in statements:
        tree = ast.parse((ROOT / path).read_text())
        assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, (path, name)
