# Who may act. This module makes the roles and says what they may do with the buckets and the vendor's key; each other
# module adds what it owns (its queue, its log group, its database user), so that a permission names one resource.
locals {
  roles = {
    fetcher   = "lambda.amazonaws.com"
    loader    = "lambda.amazonaws.com"
    jobs      = "ecs-tasks.amazonaws.com"
    execution = "ecs-tasks.amazonaws.com"
    scheduler = "scheduler.amazonaws.com"
    events    = "events.amazonaws.com"
    monitor   = "monitoring.rds.amazonaws.com"
  }

  # Lambda and RDS monitoring send no source account when they assume a role.
  roles_with_source_account = ["ecs-tasks.amazonaws.com", "scheduler.amazonaws.com", "events.amazonaws.com"]

  archive_arn   = aws_s3_bucket.this["archive"].arn
  published_arn = aws_s3_bucket.this["published"].arn
}

data "aws_iam_policy_document" "assume" {
  for_each = local.roles

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Nobody else's rule, schedule or task can borrow the role.
    dynamic "condition" {
      for_each = contains(local.roles_with_source_account, each.value) ? [1] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account_id]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.roles

  name               = "${var.name_prefix}-${each.key}"
  description        = "Condvest ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.assume[each.key].json
  tags               = local.tags
}

# Outside the network: asks the vendor, writes what it answers.
data "aws_iam_policy_document" "fetcher" {
  statement {
    sid       = "WriteArchive"
    actions   = ["s3:PutObject", "s3:GetObject"]
    resources = ["${local.archive_arn}/${local.archive_prefix}/*"]
  }

  statement {
    sid       = "ListArchive"
    actions   = ["s3:ListBucket"]
    resources = [local.archive_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.archive_prefix}/*"]
    }
  }

  statement {
    sid       = "ReadVendorKey"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.vendor.arn]
  }
}

# Inside the network: reads the archive; the database module lets it log in.
data "aws_iam_policy_document" "loader" {
  statement {
    sid       = "ReadArchive"
    actions   = ["s3:GetObject"]
    resources = ["${local.archive_arn}/${local.archive_prefix}/*"]
  }

  statement {
    sid       = "ListArchive"
    actions   = ["s3:ListBucket"]
    resources = [local.archive_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.archive_prefix}/*"]
    }
  }
}

# Resampling, backfill and publishing.
data "aws_iam_policy_document" "jobs" {
  source_policy_documents = [data.aws_iam_policy_document.fetcher.json]

  statement {
    sid       = "WritePublished"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    resources = ["${local.published_arn}/*"]
  }

  statement {
    sid       = "ListPublished"
    actions   = ["s3:ListBucket"]
    resources = [local.published_arn]
  }
}

resource "aws_iam_role_policy" "data" {
  for_each = {
    fetcher = data.aws_iam_policy_document.fetcher.json
    loader  = data.aws_iam_policy_document.loader.json
    jobs    = data.aws_iam_policy_document.jobs.json
  }

  name   = "data"
  role   = aws_iam_role.this[each.key].name
  policy = each.value
}

# RDS writes its operating-system metrics under this role.
resource "aws_iam_role_policy_attachment" "monitor" {
  role       = aws_iam_role.this["monitor"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
