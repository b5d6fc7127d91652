# One page that shows whether the nightly job is well, and a warning before the money runs out.
locals {
  functions = module.fetching.functions

  # Where a session is collected, and where something is served, another row.
  live_widgets = [
    {
      type = "metric", x = 0, y = 18, width = 12, height = 6
      properties = {
        title  = "Session under way: age of the data that readers get (seconds)"
        region = var.aws_region, view = "timeSeries", stat = "Maximum", period = 60
        metrics = [
          [module.fetching.metrics_namespace, "LiveDataAgeSeconds", "service", "live"],
        ]
      }
    },
    {
      type = "metric", x = 12, y = 18, width = 12, height = 6
      properties = {
        title  = "Alerts: messages to the topic of what rules say, and those that failed"
        region = var.aws_region, view = "timeSeries", stat = "Sum", period = 300
        metrics = [
          for name in ["NumberOfMessagesPublished", "NumberOfNotificationsFailed"] :
          ["AWS/SNS", name, "TopicName", "${local.name_prefix}-live-alerts"]
        ]
      }
    },
  ]

  serving_widgets = [
    {
      type = "metric", x = 0, y = 24, width = 12, height = 6
      properties = {
        title  = "Served: requests, and errors of clients and of the server"
        region = var.aws_region, view = "timeSeries", stat = "Sum", period = 300
        metrics = [
          for name in ["Count", "4xx", "5xx"] : ["AWS/ApiGateway", name, "ApiId", one(module.serving[*].api_id)]
        ]
      }
    },
    {
      type = "metric", x = 12, y = 24, width = 12, height = 6
      properties = {
        title  = "Served: how long an answer takes (milliseconds, nine in ten)"
        region = var.aws_region, view = "timeSeries", stat = "p90", period = 300
        metrics = [
          ["AWS/ApiGateway", "Latency", "ApiId", one(module.serving[*].api_id)],
        ]
      }
    },
  ]

  dashboard = {
    widgets = concat([
      {
        type = "metric", x = 0, y = 0, width = 12, height = 6
        properties = {
          title  = "Staleness (hours since the oldest incomplete session closed)"
          region = var.aws_region, view = "timeSeries", stat = "Maximum", period = 3600
          metrics = [
            [module.fetching.metrics_namespace, "StalenessHours", "service", "archive_loader"],
          ]
        }
      },
      {
        type = "metric", x = 12, y = 0, width = 12, height = 6
        properties = {
          title  = "Rows loaded, refused and changed"
          region = var.aws_region, view = "timeSeries", stat = "Sum", period = 86400
          metrics = [
            for name in ["RowsLoaded", "RowsRefused", "RowsChanged"] :
            [module.fetching.metrics_namespace, name, "service", "archive_loader"]
          ]
        }
      },
      {
        type = "metric", x = 0, y = 6, width = 12, height = 6
        properties = {
          title  = "Functions: calls and errors"
          region = var.aws_region, view = "timeSeries", stat = "Sum", period = 3600
          metrics = concat(
            [for function in values(local.functions) : ["AWS/Lambda", "Invocations", "FunctionName", function.name]],
            [for function in values(local.functions) : ["AWS/Lambda", "Errors", "FunctionName", function.name]],
          )
        }
      },
      {
        type = "metric", x = 12, y = 6, width = 12, height = 6
        properties = {
          title   = "Jobs that failed for good"
          region  = var.aws_region, view = "timeSeries", stat = "Sum", period = 3600
          metrics = [["AWS/Events", "TriggeredRules", "RuleName", "${local.name_prefix}-job-failed"]]
        }
      },
      {
        type = "metric", x = 0, y = 12, width = 12, height = 6
        properties = {
          title  = "Database: CPU (%) and CPU credits"
          region = var.aws_region, view = "timeSeries", stat = "Average", period = 300
          metrics = [
            for name in ["CPUUtilization", "CPUCreditBalance"] :
            ["AWS/RDS", name, "DBInstanceIdentifier", module.database.identifier]
          ]
        }
      },
      {
        type = "metric", x = 12, y = 12, width = 12, height = 6
        properties = {
          title  = "Database: free storage (bytes) and connections"
          region = var.aws_region, view = "timeSeries", stat = "Average", period = 300
          metrics = [
            ["AWS/RDS", "FreeStorageSpace", "DBInstanceIdentifier", module.database.identifier],
            ["AWS/RDS", "DatabaseConnections", "DBInstanceIdentifier", module.database.identifier, { yAxis = "right" }],
          ]
        }
      },
    ], [for widget in local.live_widgets : widget if var.live], [for widget in local.serving_widgets : widget if local.serves])
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = local.name_prefix
  dashboard_body = jsonencode(local.dashboard)
}

resource "aws_budgets_budget" "this" {
  name         = local.name_prefix
  budget_type  = "COST"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  # The tags must be switched on as cost allocation tags once per account; until then the budget sees nothing.
  cost_filter {
    name   = "TagKeyValue"
    values = [format("user:environment$%s", var.environment)]
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    threshold                 = 80
    threshold_type            = "PERCENTAGE"
    notification_type         = "ACTUAL"
    subscriber_sns_topic_arns = [module.shared.alert_topic_arn]
  }

  notification {
    comparison_operator       = "GREATER_THAN"
    threshold                 = 100
    threshold_type            = "PERCENTAGE"
    notification_type         = "FORECASTED"
    subscriber_sns_topic_arns = [module.shared.alert_topic_arn]
  }
}
