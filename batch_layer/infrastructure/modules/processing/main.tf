# The jobs: one image in ECR, run by AWS Batch on Fargate Spot. Nothing here costs money while no job runs.
data "aws_region" "current" {}

locals {
  tags     = merge({ component = "processing" }, var.tags)
  job_arns = { for name, job in aws_batch_job_definition.this : name => job.arn_prefix }
}

resource "aws_ecr_repository" "this" {
  #checkov:skip=CKV_AWS_136:Encrypted with the AWS managed key; the image holds no secret
  name                 = "${var.name_prefix}/jobs"
  image_tag_mutability = "IMMUTABLE" # tags are hashes of the content
  force_delete         = !var.protected
  tags                 = local.tags

  image_scanning_configuration {
    scan_on_push = true
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

# Ten images are enough to roll back; the eleventh costs storage.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the ten newest images"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 10 }
      action       = { type = "expire" }
    }]
  })
}

# Batch acts under its own service-linked role, which AWS makes with the first compute environment of an account.
resource "aws_batch_compute_environment" "this" {
  name_prefix = "${var.name_prefix}-"
  type        = "MANAGED"
  state       = "ENABLED"
  tags        = local.tags

  compute_resources {
    type               = var.capacity
    max_vcpus          = var.max_vcpus
    subnets            = var.network.subnet_ids
    security_group_ids = [var.network.security_group_id]
  }

  # Another capacity needs another environment; the queue moves to it before the old one goes.
  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_batch_job_queue" "this" {
  name     = "${var.name_prefix}-jobs"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.this.arn
  }
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of debugging logs helps nobody; the retention is a variable
  name              = "/aws/batch/${var.name_prefix}"
  retention_in_days = var.log_days
  tags              = local.tags
}

# Pulls the image and writes the logs; it hands no secret to anybody.
data "aws_iam_policy_document" "execution" {
  #checkov:skip=CKV_AWS_356:GetAuthorizationToken takes no resource; every other action names one
  statement {
    sid       = "LogInToRegistry"
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }

  statement {
    sid = "PullImage"
    actions = [
      "ecr:BatchCheckLayerAvailability",
      "ecr:BatchGetImage",
      "ecr:GetDownloadUrlForLayer",
    ]
    resources = [aws_ecr_repository.this.arn]
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.this.arn}:*"]
  }
}

resource "aws_iam_role_policy" "execution" {
  name   = "jobs"
  role   = var.roles["execution"].name
  policy = data.aws_iam_policy_document.execution.json
}

# The migration reads the administrator's password itself, when it connects; no variable of a job holds it.
data "aws_iam_policy_document" "migrate" {
  statement {
    sid       = "ReadAdministratorPassword"
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.database.admin_secret_arn]
  }
}

resource "aws_iam_role_policy" "migrate" {
  name   = "database"
  role   = var.roles["migrate"].name
  policy = data.aws_iam_policy_document.migrate.json
}
