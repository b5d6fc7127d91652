# What starts the jobs. The loader's result, sent by Lambda to EventBridge, starts a resampling when it says that
# something changed; a job that stored bars starts a publication. Each morning sweep.tf starts a resampling anyway.
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

# Neither target says how often to try: that would take the place of the job definition's own rules
# (https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_BatchRetryStrategy.html).
resource "aws_cloudwatch_event_target" "loaded" {
  count = local.triggered ? 1 : 0

  rule      = aws_cloudwatch_event_rule.loaded[0].name
  target_id = "resample"
  arn       = aws_batch_job_queue.this["jobs"].arn
  role_arn  = var.roles["events"].arn

  batch_target {
    job_definition = aws_batch_job_definition.this["resample"].arn
    job_name       = "${var.name_prefix}-resample"
    array_size     = var.shards
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

# An array tells its own end and each child's; only a child has an index in it
# (https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html: the detail is what DescribeJobs answers;
# https://docs.aws.amazon.com/batch/latest/APIReference/API_ArrayPropertiesDetail.html). A job that is no array has none
# either: a resampling by hand, or a backfill, which resamples by itself, is published too. If a child failed the array
# has failed, and nothing is published before the next one: readers keep the version that they have.
resource "aws_cloudwatch_event_rule" "resampled" {
  count = local.triggered ? 1 : 0

  name        = "${var.name_prefix}-resampled"
  description = "A job stored bars, all shards of it: publish"
  tags        = local.tags

  event_pattern = jsonencode({
    source      = ["aws.batch"]
    detail-type = ["Batch Job State Change"]
    detail = {
      status          = ["SUCCEEDED"]
      jobQueue        = [aws_batch_job_queue.this["jobs"].arn]
      jobDefinition   = [for name in ["resample", "backfill"] : { prefix = "${local.job_arns[name]}:" }] # any revision
      arrayProperties = { index = [{ exists = false }] }
    }
  })
}

# Two at once do no harm: condvest publish holds a lock of the database's, so the second waits for the first and finds
# nothing new. EventBridge may deliver an event twice, and loads come close together.
resource "aws_cloudwatch_event_target" "resampled" {
  count = local.triggered ? 1 : 0

  rule      = aws_cloudwatch_event_rule.resampled[0].name
  target_id = "publish"
  arn       = aws_batch_job_queue.this["jobs"].arn
  role_arn  = var.roles["events"].arn

  batch_target {
    job_definition = aws_batch_job_definition.this["publish"].arn
    job_name       = "${var.name_prefix}-publish"
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

# A start that EventBridge could not deliver. Nothing is lost by it: the changes stay recorded in the database, and the
# next publication finds what the last one lacks.
resource "aws_sqs_queue" "undelivered" {
  count = local.triggered ? 1 : 0

  name                      = "${var.name_prefix}-job-dead-letters"
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
      values   = [aws_cloudwatch_event_rule.loaded[0].arn, aws_cloudwatch_event_rule.resampled[0].arn]
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
    sid     = "StartResamplingAndPublication"
    actions = ["batch:SubmitJob"]
    # Any revision of these two definitions, on this one queue.
    resources = [
      aws_batch_job_queue.this["jobs"].arn,
      "${local.job_arns["resample"]}:*",
      "${local.job_arns["publish"]}:*",
    ]
  }
}

resource "aws_iam_role_policy" "submit" {
  count = local.triggered ? 1 : 0

  name   = "submit"
  role   = var.roles["events"].name
  policy = data.aws_iam_policy_document.submit[0].json
}
