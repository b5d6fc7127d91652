# What tells that the data stop coming. The runbook has one section for each. `missing` is what an alarm makes of a period in
# which nothing was measured.
locals {
  hour = 3600

  function_alarms = {
    errors = {
      description = "The function failed three times within an hour: an event is used up"
      metric      = { namespace = "AWS/Lambda", name = "Errors", statistic = "Sum" }
      dimension   = { name = "FunctionName", suffix = "" }
      over        = { period = local.hour, periods = 1 }
      when        = { comparison = "GreaterThanOrEqualToThreshold", threshold = 3, missing = "notBreaching" }
    }
    throttles = {
      description = "Calls were turned away for three hours: the reserved concurrency or the account's quota is too small"
      metric      = { namespace = "AWS/Lambda", name = "Throttles", statistic = "Sum" }
      dimension   = { name = "FunctionName", suffix = "" }
      over        = { period = local.hour, periods = 3 }
      when        = { comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching" }
    }
    # How many are visible: their age skips what was looked at three times.
    dead-letters = {
      description = "An event failed for good and waits to be replayed"
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", statistic = "Maximum" }
      dimension   = { name = "QueueName", suffix = "-dead-letters" }
      over        = { period = 300, periods = 1 }
      when        = { comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching" }
    }
  }

  loader_alarms = {
    # The loader measures how many hours ago the oldest session closed that is still not complete.
    staleness = {
      description = "A session that closed more than 20 hours ago is not complete"
      metric      = { namespace = local.metrics_namespace, name = "StalenessHours", statistic = "Maximum" }
      dimensions  = { service = "archive_loader" }
      over        = { period = local.hour, periods = 1 }
      when        = { comparison = "GreaterThanThreshold", threshold = 20, missing = "ignore" } # nothing was loaded: it stays as it is
    }
    # How long changes of daily bars have been waiting for the jobs: nobody else tells of an array that never started. From
    # the evening's load to the morning's are nine and a half hours.
    bars-staleness = {
      description = "Daily bars were loaded more than 8 hours ago and are not in the bars of n sessions yet"
      metric      = { namespace = local.metrics_namespace, name = "BarsStalenessHours", statistic = "Maximum" }
      dimensions  = { service = "archive_loader" }
      over        = { period = local.hour, periods = 1 }
      when        = { comparison = "GreaterThanThreshold", threshold = 8, missing = "ignore" }
    }
    # And if the loader no longer runs at all, nothing measures. Its sweep runs from Tuesday to Saturday, whatever the exchange does.
    silence = {
      description = "The loader has not run for four days, although it sweeps the archive from Tuesday to Saturday"
      metric      = { namespace = "AWS/Lambda", name = "Invocations", statistic = "Sum" }
      dimensions  = { FunctionName = "${var.name_prefix}-archive-loader" }
      over        = { period = 24 * local.hour, periods = 4 }
      when        = { comparison = "LessThanThreshold", threshold = 1, missing = "breaching" }
    }
  }

  # By what follows the prefix of their names.
  alarms = merge(
    merge([
      for function, name in local.names : {
        for kind, alarm in local.function_alarms : "${replace(function, "_", "-")}-${kind}" => merge(alarm, {
          dimensions = { (alarm.dimension.name) = "${name}${alarm.dimension.suffix}" }
        })
      }
    ]...),
    { for kind, alarm in local.loader_alarms : kind => alarm if var.loader != null && (kind != "silence" || var.schedules_enabled) },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "${each.value.description}. Runbook: docs/aws/runbook.md"
  namespace           = each.value.metric.namespace
  metric_name         = each.value.metric.name
  statistic           = each.value.metric.statistic
  dimensions          = each.value.dimensions
  period              = each.value.over.period
  evaluation_periods  = each.value.over.periods
  comparison_operator = each.value.when.comparison
  threshold           = each.value.when.threshold
  treat_missing_data  = each.value.when.missing
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
