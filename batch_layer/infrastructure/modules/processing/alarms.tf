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
    resources = ["${aws_cloudwatch_log_group.failed.arn}:*"]

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

resource "aws_cloudwatch_metric_alarm" "failed" {
  alarm_name          = "${var.name_prefix}-job-failed"
  alarm_description   = "A job failed for good. Runbook: docs/aws/runbook.md"
  namespace           = "AWS/Events"
  metric_name         = "TriggeredRules"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.failed.name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "blocked" {
  alarm_name          = "${var.name_prefix}-queue-blocked"
  alarm_description   = "A job cannot start: no capacity, or nowhere to run it. Runbook: docs/aws/runbook.md"
  namespace           = "AWS/Events"
  metric_name         = "TriggeredRules"
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.blocked.name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}

resource "aws_cloudwatch_metric_alarm" "undelivered" {
  count = local.triggered ? 1 : 0

  alarm_name          = "${var.name_prefix}-job-dead-letters"
  alarm_description   = "A resampling or a publication could not be started. Runbook: docs/aws/runbook.md"
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible" # their age skips what was looked at three times
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  threshold           = 1
  treat_missing_data  = "notBreaching"
  dimensions          = { QueueName = aws_sqs_queue.undelivered[0].name }
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
