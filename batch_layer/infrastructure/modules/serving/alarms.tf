# What tells that questions are not answered. The runbook has one section for each.
locals {
  alarms = {
    serve-5xx = {
      description = "More than five requests within five minutes ended in an error of the server"
      namespace   = "AWS/ApiGateway", metric = "5xx", dimensions = { ApiId = aws_apigatewayv2_api.this.id }
      period      = 300, periods = 1, threshold = 5
    }
    serve-errors = {
      description = "The function failed, ran out of memory or of time, more than twice within five minutes"
      namespace   = "AWS/Lambda", metric = "Errors", dimensions = { FunctionName = local.name }
      period      = 300, periods = 1, threshold = 2
    }
    serve-throttles = {
      description = "Requests were turned away for a quarter of an hour: the account's quota of functions at once is used up"
      namespace   = "AWS/Lambda", metric = "Throttles", dimensions = { FunctionName = local.name }
      period      = 300, periods = 3, threshold = 0
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name_prefix}-${each.key}"
  alarm_description   = "${each.value.description}. Runbook: docs/aws/runbook.md"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  statistic           = "Sum"
  dimensions          = each.value.dimensions
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching" # nobody asked
  alarm_actions       = [var.alert_topic_arn]
  ok_actions          = [var.alert_topic_arn]
  tags                = local.tags
}
