"""Requests as an OpenAPI document describes them, and requests beside it."""

import datetime as dt

_ODD = (
    *("", "0", "-1", "1e9", "NaN", "null", "true", "a,b,,", "<b>", "%", "\x00", "\ud7ff\u0301", "'; --"),
    *("0001-01-01", "9999-12-31", "2008-02-30", "2008-09-15T00:00:00", "9" * 400),
)
_LIKELY = {
    "symbol": ("IBM", "AAPL", "MSFT", "ibm", "A/B", "IBM#4", "<script>"),
    "symbols": ("IBM", "IBM,MSFT", "IBM,NONE"),
    "columns": ("symbol", "symbol,close", "none"),
    "format": ("json", "columns", "csv", "arrow", "parquet", "ndjson", "xml"),
    "as_of": ("2024-06-03", "2024-06-03T12:00:00Z", "1970-01-01", "2024-06-03T12:00:00"),
    "session": ("2008-09-15", "2008-09-14"),
    "sort": ("symbol", "-change_5", "none"),
    "cursor": ("e30", "x"),
}
"""Values that lead further than those that the types alone would give."""


def described_request(document, chance):
    """Return (path, pairs of the query): most values as the document describes them, some not.

    Args:
        document: of OpenAPI.
        chance: a `random.Random`; the same one makes the same request.
    """
    path = chance.choice(sorted(name for name in document["paths"] if "{" not in name))
    known = document["paths"][path]["get"].get("parameters", [])
    asked = [each for each in known if each.get("required")]
    asked += chance.sample(known, min(len(known), chance.randrange(5)))
    pairs = [(each["name"], _value(each, chance)) for each in asked]
    if chance.random() < 0.1:
        pairs.append((chance.choice(["starts", "x", "Symbol"]), chance.choice(_ODD)))
    return path, pairs


def _value(parameter, chance):
    return chance.choice(_ODD if chance.random() < 0.2 else _good(parameter, chance))


def _good(parameter, chance):
    """Return some of the values that a parameter's schema allows."""
    kinds = parameter["schema"].get("anyOf", [parameter["schema"]])
    kind = next(each for each in kinds if each.get("type") != "null")
    if "enum" in kind:
        return kind["enum"]
    if parameter["name"] in _LIKELY:
        return _LIKELY[parameter["name"]]
    if kind.get("format") == "date":
        return [str(dt.date(1999, 1, 1) + dt.timedelta(chance.randrange(6000)))]
    if kind["type"] == "integer":
        low, high = kind.get("minimum", -5), kind.get("maximum", 2**40)
        return [str(low), str(high), str(chance.randint(low, min(high, low + 50)))]
    others = {"number": ["-1.5", "0", "1e-300", "42", "1e300"], "boolean": ["true", "false"]}
    return others.get(kind["type"], ["text"])
