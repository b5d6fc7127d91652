# What tells that the database needs somebody. The runbook has one section for each.
locals {
  alarms = {
    cpu = {
      metric      = "CPUUtilization"
      comparison  = "GreaterThanThreshold"
      threshold   = 90
      periods     = 6 # half an hour: a backfill's burst is no alarm
      description = "Database CPU above 90 % for half an hour"
    }
    storage = {
      metric      = "FreeStorageSpace"
      comparison  = "LessThanThreshold"
      threshold   = pow(1024, 3)
      periods     = 3
      description = "Less than 1 GiB of storage left, where autoscaling adds some at 2: it is at its limit or too slow"
    }
    connections = {
      metric      = "DatabaseConnections"
      comparison  = "GreaterThanThreshold"
      threshold   = 45 # of max_connections = 60
      periods     = 3
      description = "More than 45 of 60 connections in use for a quarter of an hour"
    }
    memory = {
      metric      = "FreeableMemory"
      comparison  = "LessThanThreshold"
      threshold   = 200 * pow(1024, 2)
      periods     = 6
      description = "Less than 200 MiB of memory free for half an hour: logins by IAM become slow and then fail"
    }
    swap = {
      metric      = "SwapUsage"
      comparison  = "GreaterThanThreshold"
      threshold   = 256 * pow(1024, 2)
      periods     = 6
      description = "More than 256 MiB swapped for half an hour: the class is too small for what it does"
    }
    credits = {
      metric      = "CPUCreditBalance"
      comparison  = "LessThanThreshold"
      threshold   = 20
      periods     = 36 # three hours: a new instance begins with none, and earns 12 an hour
      description = "CPU credits of the burstable instance nearly used up: beyond them every vCPU hour is billed"
    }
  }

  burstable = startswith(var.instance.class, "db.t")
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = { for name, alarm in local.alarms : name => alarm if name != "credits" || local.burstable }

  alarm_name          = "${var.name_prefix}-database-${each.key}"
  alarm_description   = "${each.value.description}. Runbook: docs/aws/runbook.md"
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  statistic           = "Average"
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  dimensions          = { DBInstanceIdentifier = aws_db_instance.this.identifier }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
