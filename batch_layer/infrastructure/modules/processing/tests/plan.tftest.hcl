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
  name_prefix     = "condvest-test"
  container_image = "123456789012.dkr.ecr.ca-west-1.amazonaws.com/condvest-test/jobs@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  archive_uri     = "s3://condvest-test-archive-123456789012/archive"
  published_uri   = "s3://condvest-test-published-123456789012/published"
  alert_topic_arn = "arn:aws:sns:ca-west-1:123456789012:condvest-test-alerts"
  trigger         = { function_arn = "arn:aws:lambda:ca-west-1:123456789012:function:condvest-test-archive-loader" }

  roles = {
    migrate   = { name = "condvest-test-migrate", arn = "arn:aws:iam::123456789012:role/condvest-test-migrate" }
    resample  = { name = "condvest-test-resample", arn = "arn:aws:iam::123456789012:role/condvest-test-resample" }
    backfill  = { name = "condvest-test-backfill", arn = "arn:aws:iam::123456789012:role/condvest-test-backfill" }
    publish   = { name = "condvest-test-publish", arn = "arn:aws:iam::123456789012:role/condvest-test-publish" }
    execution = { name = "condvest-test-execution", arn = "arn:aws:iam::123456789012:role/condvest-test-execution" }
    events    = { name = "condvest-test-events", arn = "arn:aws:iam::123456789012:role/condvest-test-events" }
    scheduler = { name = "condvest-test-scheduler", arn = "arn:aws:iam::123456789012:role/condvest-test-scheduler" }
  }
  network = {
    subnet_ids        = ["subnet-1"]
    security_group_id = "sg-1"
  }
  database = {
    jobs_url         = "postgresql://condvest_jobs@db:5432/condvest?sslmode=verify-full"
    backfill_url     = "postgresql://condvest_backfill@db:5432/condvest?sslmode=verify-full"
    admin_url        = "postgresql://condvest_admin@db:5432/condvest?sslmode=verify-full"
    admin_secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:rds-1"
  }
  vendor = {
    provider   = "massive"
    plan       = "basic"
    secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:key-1"
  }
}

run "runs_on_spot" {
  command = plan

  assert {
    condition     = toset([for one in aws_batch_compute_environment.this : one.compute_resources[0].type]) == toset(["FARGATE_SPOT", "FARGATE"])
    error_message = "Spot must be the default, with a second environment for when it has no capacity"
  }

  assert {
    condition     = length(aws_batch_job_queue.this["jobs"].compute_environment_order) == 2 && length(aws_batch_job_queue.this["on-demand"].compute_environment_order) == 1
    error_message = "the migration must not wait for Spot"
  }

  assert {
    condition     = alltrue(flatten([for queue in aws_batch_job_queue.this : [for limit in queue.job_state_time_limit_action : limit.action == "CANCEL" && limit.max_time_seconds == 7200]]))
    error_message = "a job that cannot start must fail"
  }

  assert {
    condition     = aws_cloudwatch_event_target.loaded[0].batch_target[0].array_size == 8
    error_message = "a load must start an array of eight"
  }
}

run "publishes_once_what_was_resampled" {
  command = plan

  assert {
    condition     = aws_cloudwatch_event_target.resampled[0].rule == "condvest-test-resampled" && aws_cloudwatch_event_target.resampled[0].target_id == "publish"
    error_message = "what was resampled must be published"
  }

  assert {
    condition     = aws_cloudwatch_event_target.resampled[0].batch_target[0].array_size == null
    error_message = "a publication must be one job"
  }

  assert {
    condition     = toset(keys(aws_batch_job_definition.this)) == toset(["migrate", "resample", "backfill", "publish"])
    error_message = "there must be a definition for each job"
  }
}

run "sweeps_each_morning_after_the_loader" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.sweep[0].schedule_expression == "cron(0 8 ? * TUE-SAT *)" && aws_scheduler_schedule.sweep[0].schedule_expression_timezone == "America/New_York"
    error_message = "what no event started must be started in the morning"
  }

  assert {
    condition     = aws_scheduler_schedule.sweep[0].target[0].arn == "arn:aws:scheduler:::aws-sdk:batch:submitJob"
    error_message = "the schedule must submit the job itself"
  }
}

run "scans_the_image_in_use_each_day" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.rescan[0].target[0].arn == "arn:aws:scheduler:::aws-sdk:ecr:startImageScan"
    error_message = "the schedule must start the scan itself"
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.rescan[0].target[0].input).ImageId.ImageDigest == split("@", var.container_image)[1]
    error_message = "the image in use must be scanned, by its digest"
  }

  assert {
    condition     = aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "an image must be scanned when it is pushed"
  }
}

run "leaves_the_scans_to_inspector" {
  command = plan

  variables {
    rescan = null
  }

  assert {
    condition     = length(aws_scheduler_schedule.rescan) + length(aws_iam_role_policy.rescan) == 0 && !contains(keys(aws_cloudwatch_metric_alarm.this), "image-unscanned")
    error_message = "where nothing is scanned again, nothing may miss it"
  }
}

run "refuses_scans_at_no_time" {
  command = plan

  variables {
    rescan = "rate(1 day)"
  }

  expect_failures = [var.rescan]
}

run "starts_nothing_without_a_loader" {
  command = plan

  variables {
    trigger = null
  }

  assert {
    condition     = length(aws_cloudwatch_event_rule.loaded) + length(aws_cloudwatch_event_rule.resampled) + length(aws_scheduler_schedule.sweep) == 0
    error_message = "a component alone must be started by hand"
  }
}

run "falls_back_to_on_demand" {
  command = plan

  variables {
    capacity = "FARGATE"
  }

  assert {
    condition     = [for one in aws_batch_compute_environment.this : one.compute_resources[0].type] == ["FARGATE"]
    error_message = "the fallback must be selectable"
  }
}

run "has_a_repository_before_the_first_image" {
  command = plan

  variables {
    container_image = null
  }

  assert {
    condition     = length(aws_batch_job_definition.this) == 0 && length(aws_cloudwatch_event_rule.loaded) + length(aws_cloudwatch_event_rule.resampled) == 0
    error_message = "without an image there must be no job and nothing that starts one"
  }
}

run "refuses_a_tag" {
  command = plan

  variables {
    container_image = "123456789012.dkr.ecr.ca-west-1.amazonaws.com/condvest-test/jobs:latest"
  }

  expect_failures = [var.container_image]
}

run "refuses_a_pair_that_fargate_lacks" {
  command = plan

  variables {
    job_sizes = {
      migrate  = { vcpu = 0.25, memory = 4096, timeout = 1800 }
      resample = { vcpu = 0.5, memory = 2048, timeout = 3600 }
      backfill = { vcpu = 1, memory = 4096, timeout = 43200 }
      publish  = { vcpu = 1, memory = 4096, timeout = 7200 }
    }
  }

  expect_failures = [var.job_sizes]
}

run "refuses_a_job_without_a_size" {
  command = plan

  variables {
    job_sizes = {
      migrate  = { vcpu = 0.25, memory = 1024, timeout = 1800 }
      resample = { vcpu = 0.5, memory = 2048, timeout = 3600 }
      backfill = { vcpu = 1, memory = 4096, timeout = 43200 }
    }
  }

  expect_failures = [var.job_sizes]
}

run "refuses_a_place_that_is_no_prefix_of_a_bucket" {
  command = plan

  variables {
    published_uri = "s3://condvest-test-published-123456789012"
  }

  expect_failures = [var.published_uri]
}

run "refuses_shards_that_do_not_divide" {
  command = plan

  variables {
    shards = 12
  }

  expect_failures = [var.shards]
}

run "refuses_a_password" {
  command = plan

  variables {
    database = {
      jobs_url         = "postgresql://condvest_jobs:secret@db:5432/condvest"
      backfill_url     = "postgresql://condvest_backfill@db:5432/condvest"
      admin_url        = "postgresql://condvest_admin@db:5432/condvest"
      admin_secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:rds-1"
    }
  }

  expect_failures = [var.database]
}
