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
  name_prefix       = "condvest-test"
  alert_topic_arn   = "arn:aws:sns:ca-west-1:123456789012:condvest-test-alerts"
  lambda_layer_arns = ["arn:aws:lambda:ca-west-1:123456789012:layer:condvest-batch-dependencies:7"]

  # Any file will do for a plan; this one is its own package.
  package = { path = "tests/package.txt", sha256 = "b5ecfd301ae21bfe10cebc9236b790522c2197d592ee4fe717796c9ebb08a3da" }

  roles = {
    fetcher   = { name = "condvest-test-fetcher", arn = "arn:aws:iam::123456789012:role/condvest-test-fetcher" }
    loader    = { name = "condvest-test-loader", arn = "arn:aws:iam::123456789012:role/condvest-test-loader" }
    scheduler = { name = "condvest-test-scheduler", arn = "arn:aws:iam::123456789012:role/condvest-test-scheduler" }
  }
  archive = {
    bucket = "condvest-test-archive-123456789012"
    prefix = "archive"
    uri    = "s3://condvest-test-archive-123456789012/archive"
  }
  vendor = {
    provider   = "massive"
    plan       = "basic"
    secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:key-1"
  }
  loader = {
    subnet_ids        = ["subnet-1", "subnet-2"]
    security_group_id = "sg-1"
    database_url      = "postgresql://condvest_loader@db:5432/condvest?sslmode=verify-full"
  }
}

run "puts_the_loader_alone_inside_the_network" {
  command = plan

  assert {
    condition     = [for key, function in aws_lambda_function.this : key if length(function.vpc_config) > 0] == ["archive_loader"]
    error_message = "the fetchers need the internet and must stay outside"
  }

  assert {
    condition     = alltrue([for function in aws_lambda_function.this : function.layers == tolist(var.lambda_layer_arns)])
    error_message = "the given layer must be used"
  }

  assert {
    condition     = length(aws_lambda_layer_version.dependencies) == 0
    error_message = "with a layer given none is published"
  }
}

run "publishes_the_layer_when_none_is_given" {
  command = plan

  variables {
    lambda_layer_arns = []
    layer_package     = { path = "tests/package.txt", sha256 = "b5ecfd301ae21bfe10cebc9236b790522c2197d592ee4fe717796c9ebb08a3da" }
  }

  assert {
    condition     = length(aws_lambda_layer_version.dependencies) == 1
    error_message = "the layer must be published"
  }
}

run "archives_only_without_a_database" {
  command = plan

  variables {
    loader = null
  }

  assert {
    condition     = toset(keys(aws_lambda_function.this)) == toset(["daily_meta_fetcher", "daily_ohlcv_fetcher"]) && output.loader_arn == null
    error_message = "without a database there must be no loader"
  }

  assert {
    condition     = toset(keys(aws_scheduler_schedule.this)) == toset(["metadata", "evening", "morning"])
    error_message = "what is not there must not be scheduled"
  }
}

run "keeps_new_york_time" {
  command = plan

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.schedule_expression_timezone == "America/New_York"])
    error_message = "schedules must follow the exchange's clock"
  }
}

run "refuses_another_package_than_was_built" {
  command = plan

  variables {
    package = { path = "tests/package.txt", sha256 = "0000000000000000000000000000000000000000000000000000000000000000" }
  }

  expect_failures = [aws_lambda_function.this]
}

run "refuses_a_layer_without_its_number" {
  command = plan

  variables {
    lambda_layer_arns = ["arn:aws:lambda:ca-west-1:123456789012:layer:condvest-batch-dependencies"]
  }

  expect_failures = [var.lambda_layer_arns]
}

run "refuses_a_runtime_whose_c_library_is_too_old" {
  command = plan

  variables {
    runtime = { name = "python3.11" }
  }

  expect_failures = [var.runtime]
}

run "refuses_a_cron_of_five_fields" {
  command = plan

  variables {
    schedules = { evening = { function = "daily_ohlcv_fetcher", expression = "cron(30 20 * * MON-FRI)" } }
  }

  expect_failures = [var.schedules]
}
