# What the other modules share: who is who (account, region, zones) and the names built from it.
data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

data "aws_availability_zones" "available" {
  #checkov:skip=CKV_AWS_394:The subnets keep the zone they were made in (ignore_changes), whatever zones AWS adds
  state = "available"

  # Local zones have neither RDS nor Fargate.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }
}

locals {
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.region
  partition  = data.aws_partition.current.partition
  tags       = merge({ component = "shared" }, var.tags)

  # Where payloads, journals and published bars lie inside their buckets.
  archive_prefix   = "archive"
  published_prefix = "published"
  journal_prefix   = "live"
}

# The vendor's key. Terraform makes the place and never sees the value, so no state file holds it:
#   aws secretsmanager put-secret-value --secret-id NAME --secret-string file:///dev/stdin
resource "aws_secretsmanager_secret" "vendor" {
  #checkov:skip=CKV_AWS_149:The AWS managed key is enough for a key that only one role reads; a customer key costs 1 USD a month
  #checkov:skip=CKV2_AWS_57:The vendor has no interface to rotate its key; the runbook says how to by hand
  name        = "${var.name_prefix}/massive-api-key"
  description = "Key of the market data vendor; the value is put in by hand, never by Terraform"

  # A name of a deleted secret stays taken for this many days; tests of a component destroy and create again.
  recovery_window_in_days = var.protected ? 30 : 0
  tags                    = local.tags
}

# One topic takes every alarm, so that one confirmed address is enough.
resource "aws_sns_topic" "alerts" {
  #checkov:skip=CKV_AWS_26:Alarms cannot publish through the AWS managed key, and a customer key costs 1 USD a month; messages hold names and numbers only
  name = "${var.name_prefix}-alerts"
  tags = local.tags
}

resource "aws_sns_topic_policy" "alerts" {
  arn    = aws_sns_topic.alerts.arn
  policy = data.aws_iam_policy_document.alerts.json
}

data "aws_iam_policy_document" "alerts" {
  statement {
    sid       = "AlarmsBudgetsAndDatabasesPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com", "budgets.amazonaws.com", "events.rds.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }
  }
}

resource "aws_sns_topic_subscription" "email" {
  for_each = var.alert_emails

  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "email"
  endpoint  = each.value
}
