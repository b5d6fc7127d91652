"""Rung 1: what can be seen in the text of the Terraform files, with no tool at all."""

from __future__ import annotations

import re

import pytest
from workshop import FILES, INFRASTRUCTURE, MODULES, ROOT, ROOTS, SCHEMA

FOLDERS = {**{f"root {name}": path for name, path in ROOTS.items()}, **MODULES}

# In formatted files a top-level block begins in the first column and ends with a brace there.
BLOCK = re.compile(r'^(variable|output) "(\w+)" \{\n(.*?)^\}', re.DOTALL | re.MULTILINE)


def blocks(folder, kind):
    text = "\n".join(path.read_text() for path in sorted(folder.glob("*.tf")))
    return [(name, body) for found, name, body in BLOCK.findall(text) if found == kind]


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS.keys())
class TestEachFolder:
    def test_has_the_files_of_the_house(self, folder):
        """main, variables, outputs, versions and a README."""
        names = {path.name for path in folder.iterdir()}
        assert {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"} <= names

    def test_describes_and_types_every_variable(self, folder):
        found = blocks(folder, "variable")
        assert found
        bare = [
            name for name, body in found if not re.search(r"^  description = \".{10,}\"$", body, re.MULTILINE)
        ]
        untyped = [name for name, body in found if not re.search(r"^  type +=", body, re.MULTILINE)]
        assert bare == []
        assert untyped == []

    def test_describes_every_output(self, folder):
        found = blocks(folder, "output")
        assert found
        assert [
            name for name, body in found if not re.search(r"^  description = \".{10,}\"$", body, re.MULTILINE)
        ] == []

    def test_documents_every_variable_and_output(self, folder):
        """The README names each one."""
        readme = (folder / "README.md").read_text()
        names = [name for kind in ("variable", "output") for name, _ in blocks(folder, kind)]
        assert [name for name in names if f"`{name}`" not in readme] == []

    def test_asks_for_the_provider_whose_schema_the_tests_know(self, folder):
        text = (folder / "versions.tf").read_text()
        assert 'required_version = ">= 1.5.0"' in text
        assert re.search(r'source  = "hashicorp/aws"\n +version = ">= 6\.69, < 7\.0"', text)


@pytest.mark.parametrize("name", MODULES)
def test_each_module_has_a_mocked_plan_test(name):
    text = (MODULES[name] / "tests" / "plan.tftest.hcl").read_text()
    assert 'mock_provider "aws"' in text
    assert "expect_failures" in text


@pytest.mark.parametrize("name", [name for name in ROOTS if name != "all"])
def test_a_component_root_only_wires_modules(name):
    """One definition: a component root holds no resource of its own, and a state key of its own."""
    text = "\n".join(path.read_text() for path in ROOTS[name].glob("*.tf"))
    assert not re.search(r"^(resource|data) ", text, re.MULTILINE)
    assert f'key     = "batch-layer/components/{name}/terraform.tfstate"' in text
    sources = re.findall(r'^  source = "(.*)"$', text, re.MULTILINE)
    # The fetchers know no database, and alone nothing could migrate one; what serves knows none either.
    wired = {"shared", name} | ({"database"} if name not in ("fetching", "serving") else set())
    wired |= {"processing"} if name == "live" else set()  # the queue of its job
    above = "../../batch_layer" if name in ("serving", "live") else "../.."
    assert set(sources) == {f"{above}/infrastructure/modules/{one}" for one in wired}
    assert f'name_prefix = "${{var.project}}-${{var.environment}}-{name}"' in text


def test_the_state_lies_in_the_bucket_that_the_documents_name():
    text = (INFRASTRUCTURE / "versions.tf").read_text()
    for line in (
        'bucket  = "condvest-terraform-state"',
        'key     = "batch-layer/terraform.tfstate"',
        'region  = "ca-west-1"',
        "encrypt = true",
    ):
        assert line in text


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(ROOT)) for path in FILES])
def test_a_file_stays_readable(path):
    """No file above 250 lines, no tab, no blank at a line's end."""
    lines = path.read_text().splitlines()
    assert len(lines) <= 250
    assert [line for line in lines if "\t" in line or line != line.rstrip()] == []


def test_nothing_costs_money_while_it_sleeps():
    """No NAT gateway, interface endpoint or kept address; no key paid by the month, no access key."""
    text = "\n".join(path.read_text() for path in FILES)
    for kind in ("aws_nat_gateway", "aws_eip", "aws_kms_key", "aws_iam_access_key", "aws_iam_user", "aws_lb"):
        assert f'resource "{kind}"' not in text
    assert set(re.findall(r'vpc_endpoint_type += "(\w+)"', text)) == {"Gateway"}


def test_every_skipped_check_has_its_reason():
    skips = re.findall(r"#checkov:skip=(\w+):?(.*)", "\n".join(path.read_text() for path in FILES))
    assert skips
    assert [check for check, reason in skips if len(reason.strip()) < 8] == []


def test_variables_files_hold_no_secret():
    for path in INFRASTRUCTURE.rglob("*.tfvars"):
        assert not re.search(
            r"password|secret_string|AKIA[0-9A-Z]{16}|api_key", path.read_text(), re.IGNORECASE
        )


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_an_environment_names_itself_and_nothing_unknown(name):
    text = (INFRASTRUCTURE / "environments" / f"{name}.tfvars").read_text()
    assert f'environment    = "{name}"' in text
    set_here = set(re.findall(r"^(\w+) +=", text, re.MULTILINE))
    known = {variable for variable, _ in blocks(INFRASTRUCTURE, "variable")}
    assert set_here <= known
    assert {"owner", "cost_centre", "monthly_budget_usd", "protected"} <= set_here


def test_every_type_in_use_is_in_the_schema():
    """The committed schema covers what the files use; if not, run stand_in/derive_schema.py."""
    assert SCHEMA["provider_version"].startswith("6.")
    used = {"resource": set(), "data": set()}
    for path in FILES:
        for kind, name in re.findall(r'^(resource|data) "(aws_\w+)"', path.read_text(), re.MULTILINE):
            used[kind].add(name)
    assert used["resource"] == set(SCHEMA["resource_schemas"])
    assert used["data"] == set(SCHEMA["data_source_schemas"])
