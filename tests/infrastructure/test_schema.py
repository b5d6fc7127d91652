"""Rung 2: real Terraform checks every argument, block, type and required field against the schema."""

from __future__ import annotations

import json

import pytest
from workshop import LAYERS, MODULES, ROOTS, found

pytestmark = pytest.mark.aws


@pytest.mark.parametrize("layer", LAYERS, ids=["batch", "serving", "speed"])
def test_files_are_formatted(terraform, layer):
    terraform.run(layer, "fmt", "-check", "-recursive")


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
    ("serving", "api.tf", "throttling_rate_limit", "throttling_limit", "Unsupported argument"),
    ("serving", "api.tf", 'integration_type       = "AWS_PROXY"', "", "Missing required argument"),
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


BAD = [
    ({"environment": "qa"}, "environment must be dev, staging or prod"),
    ({"project": "a-name-that-is-too-long-for-aws"}, "project must have 3 to 20 characters"),
    ({"aws_account_id": "12345"}, "aws_account_id must have 12 digits"),
    ({"aws_account_id": "999999999999"}, "AWS account ID not allowed"),
    ({"monthly_budget_usd": 0}, "monthly_budget_usd must be at least 1"),
    ({"backup_region": "Montreal"}, "backup_region must be the name of a region"),
    ({"backup_region": "ca-west-1"}, "backup_region must be another region than aws_region"),
    ({"capacity": "EC2"}, "capacity must be FARGATE_SPOT or FARGATE"),
    ({"reserved_concurrency": 50}, "reserved_concurrency must be -1 or from 1 to 10"),
    ({"runtime": {"name": "python3.11"}}, "runtime.name must be python3.12"),
    ({"serving_access": "everybody"}, "serving_access must be none, iam or jwt"),
    ({"serving_access": "jwt"}, "needs jwt: the issuer's URL and the audiences"),
    ({"vendor": {"provider": "polygon"}}, "vendor.provider must be massive or yahoo"),
    ({"database": {"backup_days": 40}}, "backup_days must be from 1 to 35"),
    ({"database": {"class": "t4g.micro"}}, "instance.class must be a class of RDS"),
]


@pytest.mark.parametrize(("bad", "message"), BAD, ids=[f"{next(iter(bad))}" for bad, _ in BAD])
def test_a_value_out_of_range_is_refused_with_the_range(terraform, artefacts, bad, message):
    folder = terraform.path(ROOTS["all"])
    terraform.init(folder, state=True)
    (folder / "test.auto.tfvars.json").write_text(json.dumps(artefacts))
    (folder / "bad.tfvars.json").write_text(json.dumps(bad))
    output = terraform.run(
        folder,
        "plan",
        "-input=false",
        "-var-file=environments/dev.tfvars",
        "-var-file=bad.tfvars.json",
        ok=False,
    )
    assert message in " ".join(output.replace("│", " ").split())
