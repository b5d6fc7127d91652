"""How planned values come about: what is unknown until apply, and what stands in for it afterwards."""

from __future__ import annotations

from msgpack.ext import ExtType

UNKNOWN = ExtType(0, b"\x00")


def is_unknown(value):
    """Tell whether Terraform does not know the value yet; a refined unknown has another type number."""
    return isinstance(value, ExtType)


def planned(block, new, prior):
    """Return ``new`` with what AWS would compute: unknown on create, the prior value afterwards."""
    if new is None or is_unknown(new):
        return new
    result = dict(new)
    for name, attribute in block["attributes"].items():
        if attribute.get("computed") and result.get(name) is None:
            result[name] = UNKNOWN if prior is None else prior.get(name)
    for name, nested in block["block_types"].items():
        value, before = result.get(name), (prior or {}).get(name)
        if isinstance(value, list):
            before = before or []
            result[name] = [
                planned(nested["block"], item, before[number] if number < len(before) else None)
                for number, item in enumerate(value)
            ]
        elif isinstance(value, dict):
            result[name] = planned(nested["block"], value, before)
    return result


def settled(block, value, label):
    """Return ``value`` with something plausible in place of everything unknown."""
    if value is None:
        return None
    result = dict(value)
    for name, attribute in block["attributes"].items():
        if is_unknown(result.get(name)):
            result[name] = _plausible(attribute, f"{label}-{name}")
    for name, nested in block["block_types"].items():
        inner = result.get(name)
        if isinstance(inner, list):
            result[name] = [settled(nested["block"], item, label) for item in inner]
        elif isinstance(inner, dict):
            result[name] = settled(nested["block"], inner, label)
    return result


def read_only(block, config, path=""):
    """Yield the attributes that the configuration sets although AWS decides them: core lets those pass."""
    for name, attribute in block["attributes"].items():
        decided = attribute.get("computed") and not attribute.get("optional")
        if decided and (config or {}).get(name) is not None:
            yield f"Value for unconfigurable attribute: {path}{name} is decided by the provider"
    for name, nested in block["block_types"].items():
        value = (config or {}).get(name)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from read_only(nested["block"], item, f"{path}{name}.")


def _plausible(attribute, label):
    kind = attribute.get("type")
    if kind is None or isinstance(kind, list):
        collection = kind[0] if kind else attribute["nested_type"]["nesting_mode"]
        return {} if collection in ("map", "object", "single") else []
    # An optional string that nobody set stays null, or the next plan would want to take it away again.
    plausible_string = None if attribute.get("optional") else label
    return {"string": plausible_string, "number": 0, "bool": False}[kind]
