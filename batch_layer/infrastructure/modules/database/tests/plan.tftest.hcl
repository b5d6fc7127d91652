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
  subnet_ids        = ["subnet-1", "subnet-2"]
  security_group_id = "sg-1"
  monitor_role_arn  = "arn:aws:iam::123456789012:role/condvest-test-monitor"
  alert_topic_arn   = "arn:aws:sns:ca-west-1:123456789012:condvest-test-alerts"
}

run "keeps_data_by_default" {
  command = plan

  assert {
    condition     = aws_db_instance.this.deletion_protection && !aws_db_instance.this.skip_final_snapshot
    error_message = "protection must be the default"
  }

  assert {
    condition     = !aws_db_instance.this.publicly_accessible && aws_db_instance.this.storage_encrypted
    error_message = "the database must be private and encrypted"
  }
}

run "lets_go_when_told" {
  command = plan

  variables {
    protected      = false
    final_snapshot = false
  }

  assert {
    condition     = !aws_db_instance.this.deletion_protection && aws_db_instance.this.skip_final_snapshot
    error_message = "an unprotected database must be deletable without a snapshot"
  }
}

run "keeps_a_snapshot_when_the_protection_is_lifted" {
  command = plan

  variables {
    protected = false
  }

  assert {
    condition     = !aws_db_instance.this.skip_final_snapshot && !aws_db_instance.this.delete_automated_backups
    error_message = "to lift the protection must not take the last snapshot along"
  }
}

run "copies_no_backup_to_another_region_by_default" {
  command = plan

  assert {
    condition     = length(aws_db_instance_automated_backups_replication.this) == 0
    error_message = "a second region must be asked for"
  }
}

run "copies_backups_where_it_is_told_under_a_key_of_that_region" {
  command = plan

  variables {
    backup_region = "ca-central-1"
    backup_days   = 14
  }

  assert {
    condition     = aws_db_instance_automated_backups_replication.this[0].region == "ca-central-1" && data.aws_kms_key.copy[0].region == "ca-central-1"
    error_message = "the backups and their key must be of the other region"
  }

  assert {
    condition     = aws_db_instance_automated_backups_replication.this[0].retention_period == 14
    error_message = "a copy must be kept as long as a backup"
  }
}

run "watches_credits_of_burstable_classes_only" {
  command = plan

  variables {
    instance = { class = "db.m7g.large" }
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_metric_alarm.this), "credits")
    error_message = "a class without credits must have no alarm on them"
  }
}

run "sleeps_by_day_when_told" {
  command = plan

  variables {
    hours          = { start = "cron(0 18 ? * MON-FRI *)", stop = "cron(0 9 ? * TUE-SAT *)" }
    scheduler_role = { name = "condvest-test-scheduler", arn = "arn:aws:iam::123456789012:role/condvest-test-scheduler" }
  }

  assert {
    condition     = { for action, schedule in aws_scheduler_schedule.hours : action => schedule.target[0].arn } == { start = "arn:aws:scheduler:::aws-sdk:rds:startDBInstance", stop = "arn:aws:scheduler:::aws-sdk:rds:stopDBInstance" }
    error_message = "the schedules must start and stop the instance"
  }

  assert {
    condition     = jsondecode(aws_scheduler_schedule.hours["stop"].target[0].input) == { DbInstanceIdentifier = "condvest-test-db" }
    error_message = "the universal target takes the name as Java's SDK writes it"
  }

  assert {
    condition     = aws_db_instance.this.maintenance_window == "sat:05:30-sat:06:30"
    error_message = "maintenance must lie in hours in which the instance is awake"
  }
}

run "never_sleeps_by_default" {
  command = plan

  assert {
    condition     = length(aws_scheduler_schedule.hours) == 0
    error_message = "without hours nothing may stop the instance"
  }
}

run "refuses_a_class_too_small_for_logins_by_iam" {
  command = plan

  variables {
    instance = { class = "db.t4g.micro" }
  }

  expect_failures = [var.instance]
}

run "refuses_hours_of_five_fields" {
  command = plan

  variables {
    hours = { start = "cron(0 18 * * MON-FRI)", stop = "cron(0 9 ? * TUE-SAT *)" }
  }

  expect_failures = [var.hours]
}

run "refuses_no_backups" {
  command = plan

  variables {
    backup_days = 0
  }

  expect_failures = [var.backup_days]
}

run "refuses_too_small_a_volume" {
  command = plan

  variables {
    instance = { storage_gib = 10 }
  }

  expect_failures = [var.instance]
}
