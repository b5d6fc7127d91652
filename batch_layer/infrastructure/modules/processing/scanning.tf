# Known vulnerabilities of the image. ECR looks for them at each push (basic scanning, free), and a finding that is published
# later is in no scan that was made before: so the image in use is scanned again every day, which is as often as basic
# scanning allows (https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartImageScan.html). Continuous scanning is
# enhanced scanning by Amazon Inspector: it is set for the whole registry of an account, and billed by the image.
locals {
  rescanned = var.rescan != null && var.container_image != null && var.schedules_enabled
}

resource "aws_scheduler_schedule" "rescan" {
  #checkov:skip=CKV_AWS_297:A schedule's input holds names, nothing to hide behind a customer key
  count = local.rescanned ? 1 : 0

  name                         = "${var.name_prefix}-rescan"
  description                  = "Scans the image in use again"
  group_name                   = var.schedule_group
  schedule_expression          = var.rescan
  schedule_expression_timezone = "America/New_York"
  state                        = "ENABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.current.partition}:scheduler:::aws-sdk:ecr:startImageScan"
    role_arn = var.roles["scheduler"].arn
    input = jsonencode({
      RepositoryName = aws_ecr_repository.this.name
      ImageId        = { ImageDigest = split("@", var.container_image)[1] }
    })

    # No dead letter: on the day of a push ECR refuses, since the push itself was a scan. An image that nothing scans for
    # days is an alarm (image-unscanned).
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 2
    }
  }

  depends_on = [aws_iam_role_policy.rescan]
}

data "aws_iam_policy_document" "rescan" {
  count = local.rescanned ? 1 : 0

  statement {
    sid       = "ScanImage"
    actions   = ["ecr:StartImageScan"]
    resources = [aws_ecr_repository.this.arn]
  }
}

resource "aws_iam_role_policy" "rescan" {
  count = local.rescanned ? 1 : 0

  name   = "image"
  role   = var.roles["scheduler"].name
  policy = data.aws_iam_policy_document.rescan[0].json
}

# What ECR tells of each scan that ended; a severity is counted only where there are findings of it
# (https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html). deploy.sh makes the rules together with the
# repository, so that the scan of the very first push is counted.
locals {
  scan_ended = {
    source      = ["aws.ecr"]
    detail-type = ["ECR Image Scan"]
    detail      = { scan-status = ["COMPLETE"], repository-name = [aws_ecr_repository.this.name] }
  }
  scans = {
    scanned = { description = "A scan of an image ended", detail = local.scan_ended.detail }
    vulnerable = {
      description = "A scan of an image found critical vulnerabilities"
      detail      = merge(local.scan_ended.detail, { finding-severity-counts = { CRITICAL = [{ numeric = [">", 0] }] } })
    }
  }
}

resource "aws_cloudwatch_event_rule" "scans" {
  for_each = local.scans

  name          = "${var.name_prefix}-image-${each.key}"
  description   = each.value.description
  event_pattern = jsonencode(merge(local.scan_ended, { detail = each.value.detail }))
  tags          = local.tags
}

# One log line a scan: digest, tags, and how many findings of each severity.
resource "aws_cloudwatch_log_group" "scans" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of debugging logs helps nobody; the retention is a variable
  name              = "/aws/events/${var.name_prefix}-image-scans"
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "aws_cloudwatch_event_target" "scans" {
  for_each = local.scans

  rule      = aws_cloudwatch_event_rule.scans[each.key].name
  target_id = "log"
  arn       = aws_cloudwatch_log_group.scans.arn

  depends_on = [aws_cloudwatch_log_resource_policy.failed]
}
