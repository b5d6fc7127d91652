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
    for name in re.split("[|:]", layer)
}
SCRIPTS = "condvest.batch_layer.deploy."
"""Scripts beside each other, which no module imports."""
PACKAGE = "condvest"
"""It names modules of the face and imports them when they are asked for; every other module is below it."""


def is_within(module, layer):
    return module == layer or module.startswith(f"{layer}.")


def test_every_module_is_in_one_layer_of_the_import_contract():
    layers_of = {
        module: [layer for layer in LAYERS if is_within(module, layer)]
        for module in map(house.name_of, house.modules())
        if not module.startswith(SCRIPTS) and module != PACKAGE
    }
    assert len(layers_of) > 100
    assert {module: layers for module, layers in layers_of.items() if len(layers) != 1} == {}


def test_every_layer_is_there():
    packages = {house.name_of(path) for path in house.files()}
    assert LAYERS - packages == set()


def test_no_contract_has_exceptions():
    assert [contract["name"] for contract in CONTRACTS if contract.get("ignore_imports")] == []


TO_BE_DIVIDED = {
    "batch_layer/fetching/loading/loader.py",
    "batch_layer/fetching/loading/transaction.py",
}
"""Modules above the limit: none may come to these, and one that is divided leaves them."""


def test_no_module_and_no_function_is_too_long_and_every_function_is_typed():
    """The limits that CONTRIBUTING states."""
    paths = house.modules()
    every = house.functions(paths)
    long = {path.relative_to(ROOT).as_posix() for path in paths if house.length(path) > 250}
    assert long - TO_BE_DIVIDED == set()
    assert [path for path in paths if house.length(path) > 360] == []
    assert [function for function in every if function.lines > 50] == []
    assert [function for function in every if not function.is_typed] == []


def test_the_figures_of_contributing_are_those_of_the_house():
    """Within a fifth: they need not be renewed at each commit."""
    block = re.search(
        r"^```\n(modules .*?)^```", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE | re.DOTALL
    )
    stated, real = numbers(block[1].splitlines()), numbers(house.figures())
    assert stated.keys() == real.keys()
    assert {
        name: (stated[name], real[name]) for name in real if not 0.8 < stated[name] / real[name] < 1.2
    } == {}


def numbers(lines):
    """Return the first number of each line by the words before it."""
    matches = [re.fullmatch(r"([a-z ]+?) +(?:median )?([\d,]+).*", line) for line in lines]
    return {match[1]: int(match[2].replace(",", "")) for match in matches}


def test_no_variable_has_a_name_that_names_nothing():
    """Neither in the product nor in what the tests share."""
    assert nameless([*house.modules(), *house.modules(packages=["tests/support"])]) == []


def nameless(paths):
    """Return the variables called by a word that says nothing of what they are."""
    return [
        f"{path}:{line} {name}"
        for path in paths
        for name, line in house.variables(path)
        if name.strip("_") in ("one", "found", "place", "held", "told")
    ]


def test_a_variable_that_names_nothing_would_be_seen(tmp_path):
    module = tmp_path / "module.py"
    module.write_text(
        "def f(one, *, _held):\n    self.told = [found for found in one]\n    return found.place\n"
    )
    assert [line.rpartition(":")[2] for line in nameless([module])] == [
        "1 one",
        "1 _held",
        "2 told",
        "2 found",
    ]


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
