"""Rung 2: real Terraform checks every argument, block, type and required field against the schema."""

from __future__ import annotations

import pytest
from workshop import BATCH_LAYER, MODULES, ROOTS, found

pytestmark = pytest.mark.aws


def test_files_are_formatted(terraform):
    terraform.run(BATCH_LAYER, "fmt", "-check", "-recursive")


@pytest.mark.parametrize("name", ROOTS)
def test_each_root_is_valid(terraform, name):
    folder = terraform.path(ROOTS[name])
    terraform.init(folder)
    assert "Success! The configuration is valid." in terraform.run(folder, "validate")


# One mistake for each module: where, what is there, what is planted, and what must be said.
PLANTED = [
    ("shared", "buckets.tf", 'sse_algorithm = "AES256"', 'algorithm = "AES256"', "Unsupported argument"),
    (
        "shared",
        "network.tf",
        "from_port                    = 5432",
        'from_port = "all"',
        "a number is required",
    ),
    ("database", "main.tf", "multi_az              =", "multi_zone =", "Unsupported argument"),
    ("database", "main.tf", "instance_class = var.instance.class", "", "Missing required argument"),
    ("fetching", "main.tf", "destination_config {", "destinations {", "Unsupported block type"),
    ("fetching", "events.tf", 'mode = "OFF"', "", "Missing required argument"),
    ("processing", "main.tf", "max_vcpus          =", "max_cpus =", "Unsupported argument"),
    ("processing", "jobs.tf", "attempts = 5", "attempts = 5\n arn = 1", "Unsupported argument"),
    (
        "processing",
        "main.tf",
        'name     = "${var.name_prefix}-${each.key}"',
        'name = "x"\n arn = "y"',
        "unconfigurable",
    ),
]


@pytest.mark.parametrize(
    ("module", "file", "there", "planted", "message"),
    PLANTED,
    ids=[f"{one[0]}-{one[3][:12]}" for one in PLANTED],
)
def test_a_planted_mistake_is_caught(terraform, module, file, there, planted, message):
    """The schema is not merely there: a wrong or missing argument, block or type is refused."""
    path = terraform.path(MODULES[module]) / file
    right = path.read_text()
    assert there in right
    path.write_text(right.replace(there, planted, 1))
    try:
        folder = terraform.path(ROOTS["all"])
        terraform.init(folder)
        assert message in " ".join(terraform.run(folder, "validate", ok=False).split())
    finally:
        path.write_text(right)


@pytest.mark.parametrize("name", MODULES)
def test_each_module_passes_its_mocked_plans(terraform, name):
    """`terraform test` with a mocked provider: the module's own examples, refusals among them."""
    found("terraform", "https://developer.hashicorp.com/terraform/install")
    folder = terraform.path(MODULES[name])
    terraform.init(folder)
    output = terraform.run(folder, "test")
    assert "Success!" in output
    assert " 0 failed." in output
