# What starts the functions: schedules in the exchange's time zone, and new objects in the archive. What fails stays in
# a dead-letter queue, from which `condvest replay` sends it again.
data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  # Built from names, since the roles' policies must exist before the functions do.
  arn_tail      = "${data.aws_region.current.region}:${data.aws_caller_identity.current.account_id}"
  event_bus_arn = "arn:${data.aws_partition.current.partition}:events:${local.arn_tail}:event-bus/default"
  function_arns = {
    for key, name in local.names :
    key => "arn:${data.aws_partition.current.partition}:lambda:${local.arn_tail}:function:${name}"
  }
  time_zone = "America/New_York" # the exchange's: daylight saving moves nothing
  schedules = { for name, schedule in var.schedules : name => schedule if contains(keys(local.functions), schedule.function) }
}

resource "aws_sqs_queue" "dead_letters" {
  for_each = local.functions

  name                      = "${local.names[each.key]}-dead-letters"
  message_retention_seconds = 1209600 # 14 days, the longest
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

data "aws_iam_policy_document" "loader_queue" {
  count = var.loader == null ? 0 : 1

  statement {
    sid       = "UndeliveredEvents"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.dead_letters["archive_loader"].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.archived[0].arn]
    }
  }
}

resource "aws_sqs_queue_policy" "loader" {
  count = var.loader == null ? 0 : 1

  queue_url = aws_sqs_queue.dead_letters["archive_loader"].id
  policy    = data.aws_iam_policy_document.loader_queue[0].json
}

resource "aws_scheduler_schedule_group" "this" {
  name = var.name_prefix
  tags = local.tags
}

resource "aws_scheduler_schedule" "this" {
  #checkov:skip=CKV_AWS_297:A schedule's input holds its name and time, nothing to hide behind a customer key
  for_each = local.schedules

  name                         = "${var.name_prefix}-${each.key}"
  description                  = "Starts ${local.names[each.value.function]}"
  group_name                   = aws_scheduler_schedule_group.this.name
  schedule_expression          = each.value.expression
  schedule_expression_timezone = local.time_zone
  state                        = var.schedules_enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = aws_lambda_function.this[each.value.function].arn
    role_arn = var.roles["scheduler"].arn
    # By hand: jsonencode would write < and > as \u003c and \u003e, and the scheduler would not know its own word.
    input = "{\"schedule\":\"${each.key}\",\"scheduled_at\":\"<aws.scheduler.scheduled-time>\"}"

    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 5
    }

    dead_letter_config {
      arn = aws_sqs_queue.dead_letters[each.value.function].arn
    }
  }

  depends_on = [aws_iam_role_policy.scheduler]
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartFunctions"
    actions   = ["lambda:InvokeFunction"]
    resources = [for key in keys(local.functions) : local.function_arns[key]]
  }

  statement {
    sid       = "KeepUndelivered"
    actions   = ["sqs:SendMessage"]
    resources = [for key in keys(local.functions) : aws_sqs_queue.dead_letters[key].arn]
  }
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "functions"
  role   = var.roles["scheduler"].name
  policy = data.aws_iam_policy_document.scheduler.json
}

# A payload that came whole into the archive starts the loader. Its description (PAYLOAD.json) comes last, so that alone
# counts: PROVIDER/DATASET/SESSIONS/INSTANTZ-DIGEST.MEDIA.json, but not a payload that is itself ...Z-DIGEST.json.
resource "aws_cloudwatch_event_rule" "archived" {
  count = var.loader == null ? 0 : 1

  name        = "${var.name_prefix}-archived"
  description = "An answer of the vendor was archived: load it"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.s3"]
    detail-type = ["Object Created"]
    detail = {
      bucket = { name = [var.archive.bucket] }
      object = { key = [{ wildcard = "${var.archive.prefix}/*Z-*.*.json" }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "archived" {
  count = var.loader == null ? 0 : 1

  rule      = aws_cloudwatch_event_rule.archived[0].name
  target_id = "loader"
  arn       = aws_lambda_function.this["archive_loader"].arn

  retry_policy {
    maximum_event_age_in_seconds = 21600
    maximum_retry_attempts       = 10
  }

  dead_letter_config {
    arn = aws_sqs_queue.dead_letters["archive_loader"].arn
  }
}

resource "aws_lambda_permission" "archived" {
  count = var.loader == null ? 0 : 1

  statement_id  = "archived"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["archive_loader"].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.archived[0].arn
}
