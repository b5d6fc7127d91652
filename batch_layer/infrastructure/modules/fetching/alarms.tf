# What tells that the data stop coming. The runbook has one section for each.
locals {
  runbook = "Runbook: docs/aws/runbook.md"
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = local.functions

  alarm_name          = "${local.names[each.key]}-errors"
  alarm_description   = "The function failed three times within an hour: an event is used up. ${local.runbook}"
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 3
  treat_missing_data  = "notBreaching"
  dimensions          = { FunctionName = aws_lambda_function.this[each.key].function_name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  for_each = local.functions

  alarm_name          = "${local.names[each.key]}-throttles"
  alarm_description   = "Calls were turned away for three hours: the reserved concurrency or the account's quota is too small. ${local.runbook}"
  namespace           = "AWS/Lambda"
  metric_name         = "Throttles"
  statistic           = "Sum"
  period              = 3600
  evaluation_periods  = 3
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  dimensions          = { FunctionName = aws_lambda_function.this[each.key].function_name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = local.functions

  alarm_name          = "${local.names[each.key]}-dead-letters"
  alarm_description   = "An event failed for good and waits to be replayed. ${local.runbook}"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible" # their age skips what was looked at three times
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters[each.key].name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

# The loader measures how many hours ago the oldest session closed that is still not complete.
resource "aws_cloudwatch_metric_alarm" "staleness" {
  count = var.loader == null ? 0 : 1

  alarm_name          = "${var.name_prefix}-staleness"
  alarm_description   = "A session that closed more than 20 hours ago is not complete. ${local.runbook}"
  namespace           = local.metrics_namespace
  metric_name         = "StalenessHours"
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 20
  treat_missing_data  = "ignore" # nothing was loaded in that hour: the state stays
  dimensions          = { service = "archive_loader" }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

# How long changes of daily bars have been waiting for the jobs: nobody else tells of an array that never started.
resource "aws_cloudwatch_metric_alarm" "bars_staleness" {
  count = var.loader == null ? 0 : 1

  alarm_name          = "${var.name_prefix}-bars-staleness"
  alarm_description   = "Daily bars were loaded more than 8 hours ago and are not in the bars of n sessions yet. ${local.runbook}"
  namespace           = local.metrics_namespace
  metric_name         = "BarsStalenessHours"
  statistic           = "Maximum"
  period              = 3600
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 8        # from the evening's load to the morning's are nine and a half
  treat_missing_data  = "ignore" # nothing was measured in that hour: the state stays
  dimensions          = { service = "archive_loader" }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

# And if the loader no longer runs at all, nothing measures. Its sweep runs from Tuesday to Saturday, whatever the exchange does.
resource "aws_cloudwatch_metric_alarm" "silence" {
  count = var.loader == null || !var.schedules_enabled ? 0 : 1

  alarm_name          = "${var.name_prefix}-silence"
  alarm_description   = "The loader has not run for four days, although it sweeps the archive from Tuesday to Saturday. ${local.runbook}"
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  statistic           = "Sum"
  period              = 86400
  evaluation_periods  = 4
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  dimensions          = { FunctionName = aws_lambda_function.this["archive_loader"].function_name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
