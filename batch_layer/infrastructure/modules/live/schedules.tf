# One schedule starts the session's job. The other submits the same job every half hour: it ends at once where a collector has
# the lock, and where none has, it is the replacement.
resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:A schedule's input holds names, nothing to hide behind a customer key
  for_each = { for name, expression in local.schedules : name => expression if var.job.image != null }

  name                         = "${local.name}-${each.key}"
  description                  = each.key == "start" ? "Starts the job of the session" : "Starts it again if none collects"
  group_name                   = var.schedule_group
  schedule_expression          = each.value
  schedule_expression_timezone = "America/New_York"
  state                        = var.schedules_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  # The universal target calls the API itself (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html).
  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:batch:submitJob"
    role_arn = var.scheduler_role.arn
    input = jsonencode({
      JobName       = "${local.name}-${each.key}"
      JobQueue      = var.job.queue_arn
      JobDefinition = aws_batch_job_definition.this[0].arn_prefix # its newest revision
    })

    # What is not submitted by then is, by the next.
    retry_policy {
      maximum_event_age_in_seconds = 1500
      maximum_retry_attempts       = 5
    }

    dynamic "dead_letter_config" {
      for_each = var.job.dead_letter_arn == null ? [] : [1]

      content {
        arn = var.job.dead_letter_arn
      }
    }
  }

  depends_on = [aws_iam_role_policy.schedules]
}

data "aws_iam_policy_document" "schedules" {
  count = var.job.image == null ? 0 : 1

  statement {
    sid     = "StartCollector"
    actions = ["batch:SubmitJob"]
    resources = [
      var.job.queue_arn,
      aws_batch_job_definition.this[0].arn_prefix,
      "${aws_batch_job_definition.this[0].arn_prefix}:*",
    ]
  }
}

resource "aws_iam_role_policy" "schedules" {
  count = var.job.image == null ? 0 : 1

  name   = "live"
  role   = var.scheduler_role.name
  policy = data.aws_iam_policy_document.schedules[0].json
}
