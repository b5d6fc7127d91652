"""What the OpenAPI document says of the endpoints that answer with rows, and of problems."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from condvest.serving_layer.http.answers.problems import MEDIA_TYPE


def parameters_of(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return the parameters of a question as OpenAPI describes them, made from its model."""
    schema = model.model_json_schema()
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": about.get("description", ""),
            "schema": _given(about),
        }
        for name, about in schema["properties"].items()
    ]


def _given(about: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a parameter that is given: it is never null, and no text is empty."""
    schema = {key: value for key, value in about.items() if key not in ("description", "title")}
    kinds = [each for each in schema.pop("anyOf", ()) if each != {"type": "null"}]
    schema |= kinds[0] if kinds else {}
    if schema.get("default", "") is None:
        del schema["default"]
    if "items" in schema:
        schema["items"] = _given(schema["items"])
    if schema.get("type") == "string" and not schema.keys() & {"format", "enum"}:
        schema["minLength"] = 1
    return schema


_PROBLEM = {MEDIA_TYPE: {"schema": {"type": "object"}}}

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Rows, in the format asked for.",
        "content": {
            "application/json": {"schema": {"type": "object"}},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.apache.arrow.stream": {"schema": {"type": "string", "format": "binary"}},
            "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    304: {"description": "The client has this answer already."},
}
"""What an endpoint that answers with rows answers, beside `PROBLEMS`."""

PROBLEMS: dict[int | str, dict[str, Any]] = {
    400: {"description": "A parameter is wrong; the detail names it.", "content": _PROBLEM},
    401: {"description": "A key is needed.", "content": _PROBLEM},
    403: {"description": "The request is for another host.", "content": _PROBLEM},
    404: {
        "description": "Nothing has a name: a symbol, an exchange, a rule, a provider, a load, a path.",
        "content": _PROBLEM,
    },
    406: {"description": "No such format.", "content": _PROBLEM},
    410: {
        "description": "The state of the data that a cursor belongs to is gone.",
        "content": _PROBLEM,
    },
    413: {
        "description": "The answer would be too large; the detail says what to ask.",
        "content": _PROBLEM,
    },
    429: {"description": "The key has asked too often.", "content": _PROBLEM},
    501: {"description": "Not served from a published data set.", "content": _PROBLEM},
    503: {"description": "The data cannot be reached now.", "content": _PROBLEM},
    504: {"description": "The database gave up what took too long.", "content": _PROBLEM},
}
"""What every path may answer in place of what was asked for."""
