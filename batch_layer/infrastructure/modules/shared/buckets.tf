# Two buckets: the vendor's answers as they came, and the bars that are published. Both are versioned, encrypted,
# private and reached by TLS only.
locals {
  buckets = {
    archive   = "The vendor's own bytes; the database can be rebuilt from them"
    published = "Versioned Parquet data sets for reading without PostgreSQL"
  }

  # Days that what was overwritten or deleted is kept. An archived answer is never overwritten, so its old versions are
  # only what was deleted by mistake. Publishing supersedes the files of the year each time (docs/aws/cost.md), and the
  # database can publish them again.
  noncurrent_days = { archive = 90, published = 7 }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_18:Access logs would cost more than the objects; CloudTrail records changes to the bucket
  #checkov:skip=CKV_AWS_144:The archive is copied where backup_region is set; the published bars are made anew from it
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own key; a customer key adds 1 USD a month and a fee per request
  #checkov:skip=CKV2_AWS_62:The archive's events go to EventBridge; the published bars start nothing
  for_each = local.buckets

  bucket        = "${var.name_prefix}-${each.key}-${local.account_id}"
  force_destroy = !var.protected
  tags          = merge(local.tags, { purpose = each.key })
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  #checkov:skip=CKV_AWS_300:The rule named leftovers ends failed uploads of the whole bucket; the other rules need not
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }

    noncurrent_version_expiration {
      noncurrent_days = local.noncurrent_days[each.key]
    }

    # The mark of a deletion goes with the last version that it hid.
    expiration {
      expired_object_delete_marker = true
    }
  }

  dynamic "rule" {
    for_each = each.key == "archive" ? [1] : []

    content {
      id     = "cool-down"
      status = "Enabled"

      filter {
        prefix = "${local.archive_prefix}/"
      }

      # Read again only by a rebuild; half the price, and the retrieval of ten years costs cents.
      transition {
        days          = 90
        storage_class = "STANDARD_IA"
      }
    }
  }

  # The journal of a session proves and explains for a month; nothing is made from it.
  dynamic "rule" {
    for_each = each.key == "archive" && var.live ? [1] : []

    content {
      id     = "journals"
      status = "Enabled"

      filter {
        prefix = "${local.journal_prefix}/"
      }

      expiration {
        days = 30
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets

  bucket = aws_s3_bucket.this[each.key].id
  policy = each.key == "archive" ? data.aws_iam_policy_document.archive.json : data.aws_iam_policy_document.bucket[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.this]
}

data "aws_iam_policy_document" "bucket" {
  for_each = local.buckets

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

# An archived answer is never overwritten, whoever writes: S3 refuses a key that is there, and whoever does not ask for that
# refusal (If-None-Match) may not write at all. A part of a multipart upload creates no object and cannot ask; completing one
# does and must (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html).
data "aws_iam_policy_document" "archive" {
  source_policy_documents = [data.aws_iam_policy_document.bucket["archive"].json]

  statement {
    sid       = "NobodyOverwrites"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${aws_s3_bucket.this["archive"].arn}/${local.archive_prefix}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }
}

# A new object in the archive starts the loader, by a rule of the fetching module.
resource "aws_s3_bucket_notification" "archive" {
  bucket      = aws_s3_bucket.this["archive"].id
  eventbridge = true
}
