# Planned against a mocked provider: no credentials, nothing is created. Run: terraform test
mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{\"Version\":\"2012-10-17\",\"Statement\":[]}" }
  }
  mock_data "aws_region" {
    defaults = { region = "ca-west-1" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
}

variables {
  name_prefix     = "condvest-test"
  alert_topic_arn = "arn:aws:sns:ca-west-1:123456789012:condvest-test-alerts"
  published_uri   = "s3://condvest-test-published-123456789012/published"
  journal_uri     = "s3://condvest-test-archive-123456789012/live"
  database_url    = "postgresql://condvest_live@db:5432/condvest?sslmode=verify-full"
  role            = { name = "condvest-test-live", arn = "arn:aws:iam::123456789012:role/condvest-test-live" }
  scheduler_role  = { name = "condvest-test-scheduler", arn = "arn:aws:iam::123456789012:role/condvest-test-scheduler" }
  vendor = {
    provider   = "massive"
    plan       = "paid"
    secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:key-1"
  }
  job = {
    image              = "123456789012.dkr.ecr.ca-west-1.amazonaws.com/condvest-test/jobs@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    architecture       = "x86_64"
    command            = ["condvest"]
    environment        = { POWERTOOLS_METRICS_NAMESPACE = "Condvest/condvest-test" }
    retries            = [{ action = "RETRY", on_exit_code = "143" }, { action = "EXIT", on_reason = "*" }]
    queue_arn          = "arn:aws:batch:ca-west-1:123456789012:job-queue/condvest-test-jobs"
    execution_role_arn = "arn:aws:iam::123456789012:role/condvest-test-execution"
    log_group          = "/aws/batch/condvest-test"
    dead_letter_arn    = null
  }
}

run "collects_regular_hours_and_watches_every_half_hour" {
  command = plan

  assert {
    condition     = aws_scheduler_schedule.this["start"].schedule_expression == "cron(20,50 9 ? * MON-FRI *)" && aws_scheduler_schedule.this["watch"].schedule_expression == "cron(20,50 10-16 ? * MON-FRI *)"
    error_message = "it must start before the open and be watched until after the close"
  }

  assert {
    condition     = alltrue([for schedule in aws_scheduler_schedule.this : schedule.schedule_expression_timezone == "America/New_York" && schedule.target[0].arn == "arn:aws:scheduler:::aws-sdk:batch:submitJob"])
    error_message = "each schedule must submit the job itself, by the exchange's clock"
  }

  assert {
    condition     = aws_batch_job_definition.this[0].retry_strategy[0].attempts == 10 && aws_batch_job_definition.this[0].timeout[0].attempt_duration_seconds == 60000
    error_message = "a reclaimed collector must be replaced, for a whole session"
  }
}

run "collects_extended_hours" {
  command = plan

  variables {
    hours = "extended"
  }

  assert {
    condition     = aws_scheduler_schedule.this["start"].schedule_expression == "cron(50 3 ? * MON-FRI *)"
    error_message = "it must start before the first trades"
  }
}

run "has_no_job_before_the_first_image" {
  command = plan

  variables {
    job = {
      image              = null
      architecture       = "x86_64"
      command            = ["condvest"]
      environment        = { POWERTOOLS_METRICS_NAMESPACE = "Condvest/condvest-test" }
      retries            = []
      queue_arn          = "arn:aws:batch:ca-west-1:123456789012:job-queue/condvest-test-jobs"
      execution_role_arn = "arn:aws:iam::123456789012:role/condvest-test-execution"
      log_group          = "/aws/batch/condvest-test"
      dead_letter_arn    = null
    }
  }

  assert {
    condition     = length(aws_batch_job_definition.this) + length(aws_scheduler_schedule.this) == 0
    error_message = "without an image there must be no job and nothing that starts one"
  }
}

run "refuses_a_database_that_sleeps_by_day" {
  command = plan

  variables {
    database_hours = { start = "cron(0 18 ? * MON-FRI *)", stop = "cron(0 9 ? * TUE-SAT *)" }
  }

  expect_failures = [var.database_hours]
}

run "lets_the_database_sleep_at_the_weekend" {
  command = plan

  variables {
    database_hours = { start = "cron(0 9 ? * MON *)", stop = "cron(0 9 ? * SAT *)" }
  }
}

run "refuses_the_free_plan" {
  command = plan

  variables {
    vendor = { provider = "massive", plan = "basic", secret_arn = "arn:aws:secretsmanager:ca-west-1:123456789012:secret:key-1" }
  }

  expect_failures = [var.vendor]
}

run "refuses_a_password" {
  command = plan

  variables {
    database_url = "postgresql://condvest_live:secret@db:5432/condvest"
  }

  expect_failures = [var.database_url]
}
