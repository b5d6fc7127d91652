# Who may act. This module makes the roles and says what they may do with the buckets and the vendor's key; each other
# module adds what it owns (its queue, its log group, its database user), so that a permission names one resource.
locals {
  roles = merge(
    local.usual_roles,
    var.backup_region == null ? {} : { replication = "s3.amazonaws.com" },
    var.serving ? { serve = "lambda.amazonaws.com" } : {},
    var.live ? { live = "ecs-tasks.amazonaws.com" } : {},
  )
  usual_roles = {
    fetcher   = "lambda.amazonaws.com"
    loader    = "lambda.amazonaws.com"
    migrate   = "ecs-tasks.amazonaws.com"
    resample  = "ecs-tasks.amazonaws.com"
    backfill  = "ecs-tasks.amazonaws.com"
    publish   = "ecs-tasks.amazonaws.com"
    execution = "ecs-tasks.amazonaws.com"
    scheduler = "scheduler.amazonaws.com"
    events    = "events.amazonaws.com"
    monitor   = "monitoring.rds.amazonaws.com"
  }

  # Lambda sends no source account when it assumes a role, and the page on S3's replication promises none; the others do, RDS
  # monitoring since its confused-deputy notes (https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Monitoring.OS.Enabling.html).
  roles_with_source_account = setsubtract(values(local.roles), ["lambda.amazonaws.com", "s3.amazonaws.com"])

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

# What each role does with the buckets and the secrets, and nothing else. Without ListBucket S3 would answer for a
# missing object as for a forbidden one.
data "aws_iam_policy_document" "list_archive" {
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

data "aws_iam_policy_document" "vendor_key" {
  statement {
    sid       = "ReadVendorKey"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [aws_secretsmanager_secret.vendor.arn]
  }
}

# Outside the network: asks the vendor and writes what it answers. Of that it reads the lists of instruments again: who
# has a new symbol since is asked about.
data "aws_iam_policy_document" "fetcher" {
  source_policy_documents = [
    data.aws_iam_policy_document.list_archive.json,
    data.aws_iam_policy_document.vendor_key.json,
  ]

  statement {
    sid       = "WriteArchive"
    actions   = ["s3:PutObject"]
    resources = ["${local.archive_arn}/${local.archive_prefix}/*"]
  }

  statement {
    sid       = "ReadInstruments"
    actions   = ["s3:GetObject"]
    resources = ["${local.archive_arn}/${local.archive_prefix}/*/instruments/*"]
  }
}

# Inside the network: reads the archive, and keeps an answer there a second time where others came between, so that a
# rebuild loads all in the same order. The database module lets it log in.
data "aws_iam_policy_document" "loader" {
  source_policy_documents = [data.aws_iam_policy_document.list_archive.json]

  statement {
    sid       = "ReadAndWriteArchive"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${local.archive_arn}/${local.archive_prefix}/*"]
  }
}

# Fetches and loads in one. Resampling needs the database alone, so its role has nothing here.
data "aws_iam_policy_document" "backfill" {
  source_policy_documents = [
    data.aws_iam_policy_document.loader.json,
    data.aws_iam_policy_document.vendor_key.json,
  ]
}

# Writes files of the published bars and switches the manifest, which it reads; files of old versions it removes (the
# bucket keeps them for some days). The condition takes any key, not the prefix alone: S3 asks it about the key of a
# missing object too, and without a yes the first publication would be forbidden to find that there is no manifest.
data "aws_iam_policy_document" "publish" {
  statement {
    sid       = "ListPublished"
    actions   = ["s3:ListBucket"]
    resources = [local.published_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.published_prefix}/*"]
    }
  }

  statement {
    sid       = "Publish"
    actions   = ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = ["${local.published_arn}/${local.published_prefix}/*"]
  }
}

# Reads what is published, and signs addresses of its files, which hold as far as this goes.
data "aws_iam_policy_document" "serve" {
  statement {
    sid       = "ListPublished"
    actions   = ["s3:ListBucket"]
    resources = [local.published_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.published_prefix}/*"]
    }
  }

  statement {
    sid       = "ReadPublished"
    actions   = ["s3:GetObject"]
    resources = ["${local.published_arn}/${local.published_prefix}/*"]
  }
}

# Collects the session under way: writes its rows beside the published bars, of whose manifest it reads which database they
# are of, and copies of its journal, which nothing overwrites (If-None-Match).
data "aws_iam_policy_document" "live" {
  source_policy_documents = [data.aws_iam_policy_document.vendor_key.json]

  statement {
    sid       = "ListPublished"
    actions   = ["s3:ListBucket"]
    resources = [local.published_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["${local.published_prefix}/*"]
    }
  }

  statement {
    sid       = "ReadManifest"
    actions   = ["s3:GetObject"]
    resources = ["${local.published_arn}/${local.published_prefix}/manifest.json"]
  }

  statement {
    sid       = "PublishLiveRows"
    actions   = ["s3:PutObject"]
    resources = ["${local.published_arn}/${local.published_prefix}/live.parquet"]
  }

  statement {
    sid       = "KeepJournal"
    actions   = ["s3:PutObject"]
    resources = ["${local.archive_arn}/${local.journal_prefix}/*"]
  }
}

resource "aws_iam_role_policy" "data" {
  for_each = merge({
    fetcher  = data.aws_iam_policy_document.fetcher.json
    loader   = data.aws_iam_policy_document.loader.json
    backfill = data.aws_iam_policy_document.backfill.json
    publish  = data.aws_iam_policy_document.publish.json
    }, var.serving ? { serve = data.aws_iam_policy_document.serve.json } : {},
  var.live ? { live = data.aws_iam_policy_document.live.json } : {})

  name   = "data"
  role   = aws_iam_role.this[each.key].name
  policy = each.value
}

# RDS writes its operating-system metrics under this role.
resource "aws_iam_role_policy_attachment" "monitor" {
  role       = aws_iam_role.this["monitor"].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}
