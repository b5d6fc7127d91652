# The loader's result, sent by Lambda to EventBridge, starts a resampling when it says that something changed.
locals {
  triggered = var.trigger != null && var.container_image != null
}

resource "aws_cloudwatch_event_rule" "loaded" {
  count = local.triggered ? 1 : 0

  name        = "${var.name_prefix}-loaded"
  description = "A load changed daily bars or splits: resample"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["lambda"]
    detail-type = ["Lambda Function Invocation Result - Success"]
    detail = {
      # The ARN carries the version (:$LATEST) behind it.
      requestContext  = { functionArn = [{ prefix = "${var.trigger.function_arn}:" }] }
      responsePayload = { changed = [{ numeric = [">", 0] }] }
    }
  })
}

resource "aws_cloudwatch_event_target" "loaded" {
  count = local.triggered ? 1 : 0

  rule      = aws_cloudwatch_event_rule.loaded[0].name
  target_id = "resample"
  arn       = aws_batch_job_queue.this.arn
  role_arn  = var.roles["events"].arn

  batch_target {
    job_definition = aws_batch_job_definition.this["resample"].arn
    job_name       = "${var.name_prefix}-resample"
    array_size     = var.shards
    job_attempts   = 5
  }

  # The jobs' logs bear the correlation id of the fetch that made them necessary.
  input_transformer {
    input_paths    = { correlation_id = "$.detail.responsePayload.correlation_id" }
    input_template = <<-JSON
      {"ContainerOverrides": {"Environment": [{"Name": "CONDVEST_CORRELATION_ID", "Value": "<correlation_id>"}]}}
    JSON
  }

  retry_policy {
    maximum_event_age_in_seconds = 21600
    maximum_retry_attempts       = 10
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered[0].arn
  }

  depends_on = [aws_iam_role_policy.submit]
}

# A start that EventBridge could not deliver. Nothing is lost by it: the changes stay recorded in the database.
resource "aws_sqs_queue" "undelivered" {
  count = local.triggered ? 1 : 0

  name                      = "${var.name_prefix}-resample-dead-letters"
  message_retention_seconds = 1209600 # 14 days, the longest
  sqs_managed_sse_enabled   = true
  tags                      = local.tags
}

data "aws_iam_policy_document" "undelivered" {
  count = local.triggered ? 1 : 0

  statement {
    sid       = "UndeliveredEvents"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.undelivered[0].arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.loaded[0].arn]
    }
  }
}

resource "aws_sqs_queue_policy" "undelivered" {
  count = local.triggered ? 1 : 0

  queue_url = aws_sqs_queue.undelivered[0].id
  policy    = data.aws_iam_policy_document.undelivered[0].json
}

data "aws_iam_policy_document" "submit" {
  count = local.triggered ? 1 : 0

  statement {
    sid     = "StartResampling"
    actions = ["batch:SubmitJob"]
    # Any revision of this one definition, on this one queue.
    resources = [aws_batch_job_queue.this.arn, "${local.job_arns["resample"]}:*"]
  }
}

resource "aws_iam_role_policy" "submit" {
  count = local.triggered ? 1 : 0

  name   = "submit"
  role   = var.roles["events"].name
  policy = data.aws_iam_policy_document.submit[0].json
}
