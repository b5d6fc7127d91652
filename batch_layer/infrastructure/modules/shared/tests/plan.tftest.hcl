# Planned against a mocked provider: no credentials, nothing is created. Run: terraform test
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_region" {
    defaults = { region = "ca-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_availability_zones" {
    defaults = { names = ["ca-west-1a", "ca-west-1b", "ca-west-1c"] }
  }
}

variables {
  name_prefix = "condvest-test"
}

run "creates_a_network_without_nat" {
  command = plan

  assert {
    condition     = length(aws_subnet.private) == 2 && length(aws_subnet.public) == 2
    error_message = "two zones must have a private and a public subnet each"
  }

  assert {
    condition     = alltrue([for subnet in aws_subnet.public : !subnet.map_public_ip_on_launch])
    error_message = "a subnet must not give public addresses by itself"
  }

  assert {
    condition     = aws_vpc_endpoint.s3[0].vpc_endpoint_type == "Gateway"
    error_message = "the S3 endpoint must be the free gateway"
  }
}

run "uses_a_given_network" {
  command = plan

  variables {
    network = {
      vpc_id             = "vpc-1"
      private_subnet_ids = ["subnet-1", "subnet-2"]
      public_subnet_ids  = ["subnet-3"]
      route_table_ids    = []
    }
  }

  assert {
    condition     = length(aws_vpc.this) == 0 && length(aws_vpc_endpoint.s3) == 0
    error_message = "a given network with an endpoint of its own must be left as it is"
  }

  assert {
    condition     = output.public_subnet_ids == tolist(["subnet-3"])
    error_message = "the given subnets must be used"
  }
}

run "keeps_superseded_bars_for_a_week_only" {
  command = plan

  assert {
    condition     = [for bucket in ["archive", "published"] : aws_s3_bucket_lifecycle_configuration.this[bucket].rule[0].noncurrent_version_expiration[0].noncurrent_days] == [90, 7]
    error_message = "answers must be kept for 90 days, published files for 7"
  }
}

run "copies_nothing_to_another_region_by_default" {
  command = plan

  assert {
    condition     = length(aws_s3_bucket.copy) + length(aws_s3_bucket_replication_configuration.copy) == 0 && !contains(keys(aws_iam_role.this), "replication")
    error_message = "a second region must be asked for"
  }
}

run "copies_the_archive_where_it_is_told" {
  command = plan

  variables {
    backup_region = "ca-central-1"
  }

  assert {
    condition     = aws_s3_bucket.copy["archive"].region == "ca-central-1" && keys(aws_s3_bucket.copy) == ["archive"]
    error_message = "the archive alone must be copied, into the other region"
  }

  assert {
    condition     = aws_s3_bucket_replication_configuration.copy["archive"].rule[0].delete_marker_replication[0].status == "Disabled"
    error_message = "what is deleted here must stay there"
  }
}

run "refuses_its_own_region_for_the_copy" {
  command = plan

  variables {
    backup_region = "ca-west-1"
  }

  expect_failures = [aws_s3_bucket.copy]
}

run "refuses_a_long_prefix" {
  command = plan

  variables {
    name_prefix = "condvest-with-a-name-far-too-long"
  }

  expect_failures = [var.name_prefix]
}

run "refuses_one_private_subnet" {
  command = plan

  variables {
    network = {
      vpc_id             = "vpc-1"
      private_subnet_ids = ["subnet-1"]
      public_subnet_ids  = ["subnet-3"]
      route_table_ids    = []
    }
  }

  expect_failures = [var.network]
}
