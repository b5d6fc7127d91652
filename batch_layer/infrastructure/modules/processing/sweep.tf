# Each morning a resampling is started whatever was told: an event that was lost, or an array that never ran, costs one
# night. Where nothing waits it ends within a minute, and its end starts a publication, which finds what the last one lacks.
resource "aws_scheduler_schedule" "sweep" {
  #checkov:skip=CKV_AWS_297:A schedule's input holds names, nothing to hide behind a customer key
  count = local.triggered ? 1 : 0

  name                         = "${var.name_prefix}-sweep-jobs"
  description                  = "Starts a resampling, for what no event started"
  group_name                   = var.schedule_group
  schedule_expression          = var.sweep
  schedule_expression_timezone = "America/New_York"
  state                        = var.schedules_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  # The universal target calls the API itself (https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets-universal.html).
  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:batch:submitJob"
    role_arn = var.roles["scheduler"].arn
    input = jsonencode({
      JobName         = "${var.name_prefix}-sweep"
      JobQueue        = aws_batch_job_queue.this["jobs"].arn
      JobDefinition   = aws_batch_job_definition.this["resample"].arn_prefix # its newest revision
      ArrayProperties = { Size = var.shards }
    })

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.undelivered[0].arn
    }
  }

  depends_on = [aws_iam_role_policy.sweep]
}

data "aws_iam_policy_document" "sweep" {
  count = local.triggered ? 1 : 0

  statement {
    sid       = "StartResampling"
    actions   = ["batch:SubmitJob"]
    resources = [aws_batch_job_queue.this["jobs"].arn, local.job_arns["resample"], "${local.job_arns["resample"]}:*"]
  }

  statement {
    sid       = "KeepUndelivered"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.undelivered[0].arn]
  }
}

resource "aws_iam_role_policy" "sweep" {
  count = local.triggered ? 1 : 0

  name   = "jobs"
  role   = var.roles["scheduler"].name
  policy = data.aws_iam_policy_document.sweep[0].json
}
