"""docs/api.md, made from the OpenAPI document: ``python -m tests.support.api_reference``."""

from pathlib import Path

from condvest.serving_layer.http.answers.describing import PROBLEMS, parameters_of
from condvest.serving_layer.http.answers.endpoints import BY_BODY, ENDPOINTS
from tests.support.asked import Application

PAGE = Path(__file__).parents[2] / "docs" / "api.md"

HEAD = """# HTTP API

`condvest serve` describes itself at `/openapi.json` (OpenAPI 3.1). This page is made from that document by
`python -m tests.support.api_reference`, and a test holds it against the server. What the answers mean is told
in [serving](serving.md).

Every path takes `GET` and `HEAD`. A parameter that a path does not name is refused with 400 and the names
that may have been meant; so is an empty one, and one that is given twice, but for `symbol`.
"""


class _Nothing:
    """A backend that is asked nothing."""

    has_database = True


def page():
    """Return the page as it should be."""
    document = Application(_Nothing()).get("/openapi.json").json()
    return f"{HEAD}\n{_common()}\n{_rows(document)}\n{_others(document)}\n{_problems()}"


def _common():
    common = _shared()
    lines = [f"| {_cells(each)} |" for each in parameters_of(ENDPOINTS[0].model) if each["name"] in common]
    return "\n".join(
        ["## What every path of rows takes", "", "| parameter | values | |", "|---|---|---|", *lines, ""]
    )


def _shared():
    """Return the parameters that every path of rows has, as the first one has them."""
    named = [{each["name"] for each in parameters_of(endpoint.model)} for endpoint in ENDPOINTS]
    common = set.intersection(*named)
    return {each["name"]: each for each in parameters_of(ENDPOINTS[0].model) if each["name"] in common}


def _rows(document):
    common = _shared()
    parts = ["## Paths of rows", ""]
    for endpoint in ENDPOINTS:
        assert "get" in document["paths"][endpoint.path]
        also = ", and by a body of JSON (`POST`)" if endpoint.path in BY_BODY else ""
        parts += [f"### {endpoint.path}", "", f"{endpoint.summary.removesuffix('.')}{also}.", ""]
        own = [each for each in parameters_of(endpoint.model) if common.get(each["name"]) != each]
        if own:
            lines = [f"| {_cells(each)} |" for each in own]
            parts += ["| parameter | values | |", "|---|---|---|", *lines, ""]
    return "\n".join(parts)


def _others(document):
    known = {endpoint.path for endpoint in ENDPOINTS}
    lines = []
    for path, methods in sorted(document["paths"].items()):
        for method, about in methods.items():
            if path in known and method == "get":
                continue
            names = [each["name"] for each in about.get("parameters", ()) if each["in"] == "query"]
            takes = f" Takes {', '.join(f'`{name}`' for name in names)}." if names else ""
            said = about.get("summary", "").removesuffix(".")
            lines.append(f"| `{method.upper()} {path}` | {said}.{takes} |")
    return "\n".join(["## Other paths", "", "| path | |", "|---|---|", *lines, ""])


def _problems():
    lines = [f"| {status} | {about['description']} |" for status, about in PROBLEMS.items()]
    return "\n".join(["## Problems", "", "| status | |", "|---|---|", *lines, ""])


def _cells(parameter):
    about = parameter["schema"]
    values = " ".join(filter(None, (_values(about), _bounds(about), _default(about))))
    needed = "**" if parameter["required"] else ""
    return f"{needed}`{parameter['name']}`{needed} | {values} | {parameter['description']}"


def _values(about):
    if "enum" in about:
        return ", ".join(f"`{each}`" for each in about["enum"])
    if "const" in about:
        return f"`{about['const']}`"
    if about.get("type") == "array":
        return "text, repeatable"
    return {"string": "text", "boolean": "`true`, `false`"}.get(
        about.get("format", about["type"]), about.get("format", about["type"])
    )


def _bounds(about):
    low, high = about.get("minimum"), about.get("maximum")
    if low is None:
        return ""
    return f"from {low:,}" + ("" if high is None else f" to {high:,}")


def _default(about):
    default = about.get("default")
    if default is None or default == []:
        return ""
    return f"(`{str(default).lower() if isinstance(default, bool) else default}`)"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
