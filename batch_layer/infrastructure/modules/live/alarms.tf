# The collector measures once a minute how old the data are that readers get, and the watch how old the collector's are. A job
# that fails for good is an alarm of the queue.
resource "aws_cloudwatch_metric_alarm" "stale" {
  alarm_name          = "${local.name}-stale"
  alarm_description   = "What readers get of the session under way is older than ${var.stale_minutes} minutes. Runbook: docs/aws/runbook.md"
  namespace           = var.job.environment["POWERTOOLS_METRICS_NAMESPACE"]
  metric_name         = "LiveDataAgeSeconds"
  statistic           = "Maximum"
  dimensions          = { service = "live" }
  period              = 1800 # where the collector hangs, the watch alone measures, every half hour
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = var.stale_minutes * 60
  treat_missing_data  = "notBreaching" # no session is under way
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
