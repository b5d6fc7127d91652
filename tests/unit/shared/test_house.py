"""The house: every module has its place in the import contract, and none grows past its limits."""

import re
import tomllib
from pathlib import Path

from tests.support import house

ROOT = Path(__file__).parents[3]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
LAYERS = {
    name.strip()
    for contract in CONTRACTS
    if contract["name"] == "Imports point down"
    for layer in contract["layers"]
    for name in layer.split("|")
}
SCRIPTS = "batch_layer.deploy."
"""Scripts beside each other, which no module imports."""


def is_within(module, layer):
    return module == layer or module.startswith(f"{layer}.")


def test_every_module_is_in_one_layer_of_the_import_contract():
    layers_of = {
        module: [layer for layer in LAYERS if is_within(module, layer)]
        for module in map(house.name_of, house.modules())
        if not module.startswith(SCRIPTS)
    }
    assert len(layers_of) > 100
    assert {module: layers for module, layers in layers_of.items() if len(layers) != 1} == {}


def test_every_layer_is_there():
    packages = {house.name_of(path) for path in ROOT.glob("*_layer/**/*.py")} | {"condvest"}
    assert LAYERS - packages == set()


def test_no_contract_has_exceptions():
    assert [contract["name"] for contract in CONTRACTS if contract.get("ignore_imports")] == []


def test_no_module_and_no_function_is_too_long_and_every_function_is_typed():
    """The limits that CONTRIBUTING states."""
    paths = house.modules()
    every = house.functions(paths)
    assert [f"{path}: {house.length(path)}" for path in paths if house.length(path) > 400] == []
    assert [one for one in every if one.lines > 50] == []
    assert [one for one in every if not one.is_typed] == []


def test_the_figures_can_be_printed():
    shown = "\n".join(house.figures())
    assert re.search(r"^modules +\d+$", shown, re.MULTILINE)
    assert "typed in full 100.0%" in shown


def test_a_function_without_an_annotation_or_too_long_would_be_found(tmp_path):
    module = tmp_path / "condvest/module.py"
    module.parent.mkdir()
    module.write_text('def untyped(a, *, b: int) -> int:\n    """Add."""\n    c = a\n    return c + b\n')
    (found,) = house.functions(house.modules(tmp_path, ["condvest"]), tmp_path)
    assert (found.lines, found.is_typed) == (2, False)


def tree():
    """Yield the paths of the tree in CONTRIBUTING, folders with a slash at their end."""
    page = (ROOT / "CONTRIBUTING.md").read_text()
    block = re.search(r"^## The tree\n.*?^```\n(.*?)^```", page, re.MULTILINE | re.DOTALL)[1]
    above = []
    for line in block.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        named = re.split(r" {2,}", line.strip())[0].split()
        above = [*above[:depth], named[-1]]
        for name in named:
            yield "".join(above[:depth]) + name


def test_the_tree_of_contributing_is_the_real_one():
    """Every path exists, and every folder of Python modules is named."""
    named = set(tree())
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
    folders = {
        f"{path.parent.relative_to(ROOT)}/"
        for package in house.PACKAGES
        for path in (ROOT / package).rglob("*.py")
    }
    assert folders - named == set()


def test_the_one_test_that_contributing_runs_is_there():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    (path, name) = re.search(r"pytest -q (tests/\S+) -k (\w+)", page).groups()
    assert re.search(rf"^def test_\w*{name}", (ROOT / path).read_text(), re.MULTILINE)
