# The speed layer: one job on the queue of the jobs, from the same image, that collects the session under way. Nothing here
# costs anything while no session is collected but an alarm.
data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  tags = merge({ component = "live" }, var.tags)
  name = "${var.name_prefix}-live"

  # New York's time. The job ends by itself: 50 minutes after the close, or when the late trades have ended; on holidays at once.
  schedules = {
    regular = {
      start = "cron(20,50 9 ? * MON-FRI *)"
      watch = "cron(20,50 10-16 ? * MON-FRI *)"
    }
    extended = {
      start = "cron(50 3 ? * MON-FRI *)"
      watch = "cron(20,50 4-19 ? * MON-FRI *)"
    }
  }[var.hours]

  environment = merge(
    var.job.environment,
    {
      POWERTOOLS_SERVICE_NAME = "live"
      CONDVEST_DATABASE_URL   = var.database_url
      CONDVEST_DATABASE_IAM   = "true"
      CONDVEST_PUBLISHED      = var.published_uri
      CONDVEST_JOURNAL        = var.journal_uri
      CONDVEST_MASSIVE_PLAN   = var.vendor.plan
      CONDVEST_MASSIVE_SECRET = var.vendor.secret_arn
    },
    var.stream_url == null ? {} : { CONDVEST_MASSIVE_STREAM_URL = var.stream_url },
  )
}

resource "aws_batch_job_definition" "this" {
  count = var.job.image == null ? 0 : 1

  name                       = local.name
  type                       = "container"
  platform_capabilities      = ["FARGATE"]
  propagate_tags             = true
  deregister_on_new_revision = false # a session under way keeps its revision
  tags                       = local.tags

  # A reclaimed host is replaced by Batch itself, at once; ten are the most that it takes.
  retry_strategy {
    attempts = 10

    dynamic "evaluate_on_exit" {
      for_each = var.job.retries

      content {
        action           = evaluate_on_exit.value.action
        on_status_reason = try(evaluate_on_exit.value.on_status_reason, null)
        on_exit_code     = try(evaluate_on_exit.value.on_exit_code, null)
        on_reason        = try(evaluate_on_exit.value.on_reason, null)
      }
    }
  }

  timeout {
    attempt_duration_seconds = 60000
  }

  container_properties = jsonencode({
    image = var.job.image
    command = concat(
      var.job.command,
      ["live", "run", "--feed", var.feed, "--hours", var.hours, "--publish"],
    )
    jobRoleArn             = var.role.arn
    executionRoleArn       = var.job.execution_role_arn
    readonlyRootFilesystem = true

    # The journal of the session, until its files are copied.
    volumes     = [{ name = "tmp" }]
    mountPoints = [{ sourceVolume = "tmp", containerPath = "/tmp", readOnly = false }]

    resourceRequirements = [
      { type = "VCPU", value = "0.5" },
      { type = "MEMORY", value = "1024" },
    ]

    environment = [for name, value in local.environment : { name = name, value = value }]

    # A public address instead of a NAT gateway; the security group takes no connection.
    networkConfiguration         = { assignPublicIp = "ENABLED" }
    fargatePlatformConfiguration = { platformVersion = "LATEST" }
    runtimePlatform = {
      operatingSystemFamily = "LINUX"
      cpuArchitecture       = var.job.architecture == "arm64" ? "ARM64" : "X86_64"
    }

    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = var.job.log_group
        awslogs-region        = data.aws_region.current.region
        awslogs-stream-prefix = "live"
      }
    }
  })
}

# What alert rules say goes here where a rule names it (sns:ARN), apart from the alarms: other people read it.
resource "aws_sns_topic" "alerts" {
  #checkov:skip=CKV_AWS_26:A customer key costs 1 USD a month; messages hold symbols and prices that the key's owner may read
  name = "${local.name}-alerts"
  tags = local.tags
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "TellWhatRulesSay"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]
  }
}

resource "aws_iam_role_policy" "alerts" {
  name   = "alerts"
  role   = var.role.name
  policy = data.aws_iam_policy_document.alerts.json
}
