# An instance that serves one night a day need not run by day: asleep it costs its storage alone. The schedules start it an
# hour before the first fetch and stop it after the last sweep; RDS itself wakes what has slept for a week.
locals {
  hours = {
    for action, expression in var.hours == null ? {} : { start = var.hours.start, stop = var.hours.stop } : action => expression
  }
}

resource "aws_scheduler_schedule" "hours" {
  #checkov:skip=CKV_AWS_297:A schedule's input holds a name, nothing to hide behind a customer key
  for_each = local.hours

  name                         = "${local.identifier}-${each.key}"
  description                  = "${title(each.key)}s the database"
  schedule_expression          = each.value
  schedule_expression_timezone = "America/New_York"

  flexible_time_window {
    mode = "OFF"
  }

  # The universal target writes names as Java's SDK does: DbInstanceIdentifier, where the API has DBInstanceIdentifier
  # (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html).
  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:rds:${each.key}DBInstance"
    role_arn = var.scheduler_role.arn
    input    = jsonencode({ DbInstanceIdentifier = aws_db_instance.this.identifier })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 10
    }
  }

  depends_on = [aws_iam_role_policy.hours]
}

data "aws_iam_policy_document" "hours" {
  count = length(local.hours) > 0 ? 1 : 0

  statement {
    sid       = "StartAndStop"
    actions   = ["rds:StartDBInstance", "rds:StopDBInstance"]
    resources = [aws_db_instance.this.arn]
  }
}

resource "aws_iam_role_policy" "hours" {
  count = length(local.hours) > 0 ? 1 : 0

  name   = "database"
  role   = var.scheduler_role.name
  policy = data.aws_iam_policy_document.hours[0].json
}
