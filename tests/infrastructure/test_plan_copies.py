"""Rung 3: archive and backups in a second region, which is off unless it is asked for."""

from __future__ import annotations

import json
import re

import pytest
from workshop import ROOTS

pytestmark = pytest.mark.aws

KINDS = {"aws_s3_bucket_replication_configuration", "aws_db_instance_automated_backups_replication"}


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_nothing_is_copied_unless_it_is_asked_for(plans, name):
    assert KINDS.isdisjoint(plans[name].resources)
    assert not any(".copy" in address for address in plans[name].of("aws_s3_bucket"))


@pytest.fixture(scope="module")
def copied(terraform, artefacts):
    """The resources of prod after an apply with copies in ca-central-1, and what a second plan wants."""
    folder = terraform.path(ROOTS["all"])
    (folder / "copied.tfvars.json").write_text(json.dumps({"backup_region": "ca-central-1"}))
    return terraform.applied(folder, artefacts, "environments/prod.tfvars", "copied.tfvars.json")


def test_the_copies_settle(copied):
    assert "No changes." in copied.again


def test_the_archive_is_copied_and_what_is_deleted_stays_in_the_copy(copied):
    bucket = copied.one("aws_s3_bucket", "copy")
    assert (bucket["region"], bucket["bucket"]) == (
        "ca-central-1",
        "condvest-prod-archive-copy-123456789012",
    )
    assert bucket["force_destroy"] is False
    configuration = copied.one("aws_s3_bucket_replication_configuration", "copy")
    assert configuration["bucket"] == "condvest-prod-archive-123456789012"
    assert configuration["role"] == "arn:aws:iam::123456789012:role/condvest-prod-replication"
    (rule,) = configuration["rule"]
    assert (rule["status"], rule["delete_marker_replication"][0]["status"]) == ("Enabled", "Disabled")
    assert (
        rule["destination"][0] | {"bucket": bucket["arn"], "storage_class": "STANDARD_IA"}
        == (rule["destination"][0])
    )
    for kind in ("versioning", "public_access_block", "server_side_encryption_configuration", "policy"):
        assert copied.one(f"aws_s3_bucket_{kind}", "copy")["region"] == "ca-central-1", kind


def test_s3_may_read_the_archive_and_write_the_copy_and_nothing_else(copied):
    statements = json.loads(copied.one("aws_iam_role_policy", "replication")["policy"])["Statement"]
    source, copy = (f"arn:aws:s3:::condvest-prod-archive{end}123456789012" for end in ("-", "-copy-"))
    assert {one["Sid"]: one["Resource"] for one in statements} == {
        "ReadWhatToCopy": source,
        "ReadObjects": f"{source}/*",
        "WriteCopies": f"{copy}/*",
    }
    assert not re.search("Delete", json.dumps(statements))


def test_the_backups_are_copied_under_a_key_of_that_region_and_kept_as_long(copied):
    backups = copied.one("aws_db_instance_automated_backups_replication", "this")
    assert backups["region"] == "ca-central-1"
    assert backups["source_db_instance_arn"] == "arn:aws:rds:ca-west-1:123456789012:db:condvest-prod-db"
    assert backups["kms_key_id"].startswith("arn:aws:kms:ca-central-1:123456789012:key/")
    assert backups["retention_period"] == copied.plan.one("aws_db_instance")["backup_retention_period"] == 14
