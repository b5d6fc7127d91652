# A copy of the archive in another region, where backup_region names one: from the archive alone the database can be made anew.
# Nothing that is deleted here is deleted there; the copy lies in the cheaper class, for it is read once if ever.
locals {
  copied = var.backup_region == null ? {} : { archive = var.backup_region }
}

resource "aws_s3_bucket" "copy" {
  #checkov:skip=CKV_AWS_18:Access logs would cost more than the objects; CloudTrail records changes to the bucket
  #checkov:skip=CKV_AWS_144:This is the second region
  #checkov:skip=CKV_AWS_145:Encrypted with S3's own key; a customer key adds 1 USD a month and a fee per request
  #checkov:skip=CKV2_AWS_62:Nothing is started by a copy
  for_each = local.copied

  region        = each.value
  bucket        = "${var.name_prefix}-${each.key}-copy-${local.account_id}"
  force_destroy = !var.protected
  tags          = merge(local.tags, { purpose = "${each.key} copy" })

  lifecycle {
    precondition {
      condition     = each.value != local.region
      error_message = "backup_region must be another region than aws_region."
    }
  }
}

resource "aws_s3_bucket_versioning" "copy" {
  for_each = local.copied

  region = each.value
  bucket = aws_s3_bucket.copy[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "copy" {
  for_each = local.copied

  region = each.value
  bucket = aws_s3_bucket.copy[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_public_access_block" "copy" {
  for_each = local.copied

  region                  = each.value
  bucket                  = aws_s3_bucket.copy[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_lifecycle_configuration" "copy" {
  for_each = local.copied

  region = each.value
  bucket = aws_s3_bucket.copy[each.key].id

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
  }

  depends_on = [aws_s3_bucket_versioning.copy]
}

resource "aws_s3_bucket_policy" "copy" {
  for_each = local.copied

  region = each.value
  bucket = aws_s3_bucket.copy[each.key].id
  policy = data.aws_iam_policy_document.copy[each.key].json

  depends_on = [aws_s3_bucket_public_access_block.copy]
}

data "aws_iam_policy_document" "copy" {
  for_each = local.copied

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.copy[each.key].arn, "${aws_s3_bucket.copy[each.key].arn}/*"]

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

# S3 copies under this role (https://docs.aws.amazon.com/AmazonS3/latest/userguide/setting-repl-config-perm-overview.html).
data "aws_iam_policy_document" "replication" {
  for_each = local.copied

  statement {
    sid       = "ReadWhatToCopy"
    actions   = ["s3:GetReplicationConfiguration", "s3:ListBucket"]
    resources = [aws_s3_bucket.this[each.key].arn]
  }

  statement {
    sid       = "ReadObjects"
    actions   = ["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"]
    resources = ["${aws_s3_bucket.this[each.key].arn}/*"]
  }

  statement {
    sid       = "WriteCopies"
    actions   = ["s3:ReplicateObject", "s3:ReplicateTags"]
    resources = ["${aws_s3_bucket.copy[each.key].arn}/*"]
  }
}

resource "aws_iam_role_policy" "replication" {
  for_each = local.copied

  name   = "copy"
  role   = aws_iam_role.this["replication"].name
  policy = data.aws_iam_policy_document.replication[each.key].json
}

resource "aws_s3_bucket_replication_configuration" "copy" {
  for_each = local.copied

  bucket = aws_s3_bucket.this[each.key].id
  role   = aws_iam_role.this["replication"].arn

  rule {
    id       = "copy"
    status   = "Enabled"
    priority = 1

    filter {}

    delete_marker_replication {
      status = "Disabled"
    }

    destination {
      bucket        = aws_s3_bucket.copy[each.key].arn
      storage_class = "STANDARD_IA"
    }
  }

  depends_on = [aws_s3_bucket_versioning.this, aws_s3_bucket_versioning.copy, aws_iam_role_policy.replication]
}
