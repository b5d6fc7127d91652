"""Figures of the house: modules and functions, how long they are, and how many are typed.

``make house`` prints them; CONTRIBUTING says what they should be, and a test holds the limits.
"""

import ast
import statistics
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("condvest", "serving_layer", "speed_layer", "batch_layer")


@dataclass(frozen=True)
class Function:
    """A function or method: its path and name, its lines without the docstring, and whether it is typed."""

    where: str
    lines: int
    is_typed: bool


def files(root=ROOT, packages=PACKAGES):
    """Return the Python files of the packages."""
    return [path for package in packages for path in sorted((root / package).rglob("*.py"))]


def modules(root=ROOT, packages=PACKAGES):
    """Return the module files of the packages, without ``__init__.py`` files that hold a docstring only."""
    return [
        path
        for path in files(root, packages)
        if path.name != "__init__.py" or len(ast.parse(path.read_text()).body) > 1
    ]


def name_of(path, root=ROOT):
    """Return the dotted name of a module, whose layer is linked to from ``condvest``."""
    parts = path.relative_to(root).with_suffix("").parts
    if parts[0] != "condvest":
        parts = ("condvest", *parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def length(path):
    """Return how many lines a file has."""
    return len(path.read_text().splitlines())


def functions(paths, root=ROOT):
    """Return every function of the files."""
    return [
        _function(node, path.relative_to(root))
        for path in paths
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _function(node, path):
    body = node.body[1:] if ast.get_docstring(node) is not None else node.body
    lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
    given = [
        *node.args.posonlyargs,
        *node.args.args,
        *node.args.kwonlyargs,
        node.args.vararg,
        node.args.kwarg,
    ]
    arguments = [
        argument for argument in given if argument is not None and argument.arg not in ("self", "cls")
    ]
    is_typed = node.returns is not None and all(argument.annotation is not None for argument in arguments)
    return Function(f"{path} {node.name}", lines, is_typed)


def variables(path):
    """Yield the names of variables, parameters, fields and functions of a module, with their lines."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, node.lineno
            case ast.arg(arg=name) | ast.FunctionDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno


def figures():
    """Return the figures as lines of text."""
    files = modules()
    longest = max(files, key=length)
    lengths = sorted(map(length, files))
    every = functions(files)
    most = max(every, key=lambda function: function.lines)
    bodies = sorted(function.lines for function in every)
    typed = sum(function.is_typed for function in every) / len(every)
    nine_in_ten = bodies[len(bodies) * 9 // 10]
    return [
        f"modules             {len(files)}",
        f"lines               {sum(lengths):,}",
        f"lines per module    median {statistics.median(lengths):.0f}",
        f"longest module      {lengths[-1]} ({longest.relative_to(ROOT)})",
        f"functions           {len(every):,}, typed in full {typed:.1%}",
        f"lines per function  median {statistics.median(bodies):.0f}, nine in ten up to {nine_in_ten}",
        f"longest function    {most.lines} ({most.where})",
    ]


if __name__ == "__main__":
    print("\n".join(figures()))
