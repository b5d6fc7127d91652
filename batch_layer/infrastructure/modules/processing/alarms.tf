# Batch has no metric of failed jobs, but it tells EventBridge; a rule without a target still counts its matches.
resource "aws_cloudwatch_event_rule" "failed" {
  name        = "${var.name_prefix}-job-failed"
  description = "A job failed for good: every attempt is used up, or the code said not to retry"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job State Change"]
    detail      = { status = ["FAILED"], jobQueue = local.queue_arns }
  })
}

# The rule's target: one log line a failed job, with its reason, next to the jobs' own logs.
resource "aws_cloudwatch_log_group" "failed" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of debugging logs helps nobody; the retention is a variable
  name              = "/aws/events/${var.name_prefix}-job-failed"
  retention_in_days = var.log_days
  tags              = local.tags
}

data "aws_iam_policy_document" "failed" {
  statement {
    sid       = "EventBridgeWrites"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.failed.arn}:*", "${aws_cloudwatch_log_group.scans.arn}:*"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com", "delivery.logs.amazonaws.com"]
    }
  }
}

resource "aws_cloudwatch_log_resource_policy" "failed" {
  policy_name     = "${var.name_prefix}-job-failed"
  policy_document = data.aws_iam_policy_document.failed.json
}

resource "aws_cloudwatch_event_target" "failed" {
  rule      = aws_cloudwatch_event_rule.failed.name
  target_id = "log"
  arn       = aws_cloudwatch_log_group.failed.arn

  depends_on = [aws_cloudwatch_log_resource_policy.failed]
}

# Batch also tells of a job that it cannot start: no capacity, or nowhere to run it.
# https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html
resource "aws_cloudwatch_event_rule" "blocked" {
  name        = "${var.name_prefix}-queue-blocked"
  description = "A job at the head of a queue cannot start"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job Queue Blocked"]
    detail      = { jobQueue = local.queue_arns }
  })
}

resource "aws_cloudwatch_event_target" "blocked" {
  rule      = aws_cloudwatch_event_rule.blocked.name
  target_id = "log"
  arn       = aws_cloudwatch_log_group.failed.arn

  depends_on = [aws_cloudwatch_log_resource_policy.failed]
}

# By what follows the prefix of their names. `missing` is what an alarm makes of a period in which nothing was measured.
locals {
  counted = { namespace = "AWS/Events", name = "TriggeredRules", statistic = "Sum" }
  at_once = { period = 300, periods = 1, enough = null }
  days    = 86400

  alarms = merge(
    {
      job-failed = {
        description = "A job failed for good"
        metric      = local.counted
        dimensions  = { RuleName = "${var.name_prefix}-job-failed" }
        over        = local.at_once
        when        = { comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching" }
      }
      queue-blocked = {
        description = "A job cannot start: no capacity, or nowhere to run it"
        metric      = local.counted
        dimensions  = { RuleName = "${var.name_prefix}-queue-blocked" }
        over        = local.at_once
        when        = { comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching" }
      }
      # Scanned once a day: the alarm stays on until two days' scans found nothing critical.
      image-vulnerable = {
        description = "The jobs' image has critical vulnerabilities"
        metric      = local.counted
        dimensions  = { RuleName = "${var.name_prefix}-image-vulnerable" }
        over        = { period = local.days, periods = 2, enough = 1 }
        when        = { comparison = "GreaterThanThreshold", threshold = 0, missing = "notBreaching" }
      }
    },
    { for kind, alarm in local.alarms_of_scans : kind => alarm if local.rescanned },
    { for kind, alarm in local.alarms_of_starts : kind => alarm if local.triggered },
  )
  alarms_of_scans = {
    image-unscanned = {
      description = "No scan of the jobs' image ended for three days: nobody would tell of its vulnerabilities"
      metric      = local.counted
      dimensions  = { RuleName = "${var.name_prefix}-image-scanned" }
      over        = { period = local.days, periods = 3, enough = null }
      when        = { comparison = "LessThanThreshold", threshold = 1, missing = "breaching" }
    }
  }
  alarms_of_starts = {
    # How many are visible: their age skips what was looked at three times.
    job-dead-letters = {
      description = "A resampling or a publication could not be started"
      metric      = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", statistic = "Maximum" }
      dimensions  = { QueueName = "${var.name_prefix}-job-dead-letters" }
      over        = local.at_once
      when        = { comparison = "GreaterThanOrEqualToThreshold", threshold = 1, missing = "notBreaching" }
    }
  }
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
  datapoints_to_alarm = each.value.over.enough
  comparison_operator = each.value.when.comparison
  threshold           = each.value.when.threshold
  treat_missing_data  = each.value.when.missing
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
