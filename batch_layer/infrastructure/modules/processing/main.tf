# The jobs: one image in ECR, run by AWS Batch on Fargate Spot, the migration on demand. Nothing here costs money while no
# job runs.
data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  tags       = merge({ component = "processing" }, var.tags)
  job_arns   = { for name, job in aws_batch_job_definition.this : name => job.arn_prefix }
  queue_arns = [for queue in aws_batch_job_queue.this : queue.arn]
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

# ECR counts manifests: an image pushed from a containerd store is an index and what it names, so thirty are ten deployments
# at least, and the image in use is never the one that goes.
resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the thirty newest manifests"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 30 }
      action       = { type = "expire" }
    }]
  })
}

# Batch acts under its own service-linked role, which `deploy.sh ENV bootstrap` makes. The second environment has capacity
# when Spot has none; the migration waits for nobody.
locals {
  environments = toset(["FARGATE", var.capacity])
  queues = {
    jobs      = distinct([var.capacity, "FARGATE"])
    on-demand = ["FARGATE"]
  }

  # What Batch says of a job that it will not start, as long as it detects that. The bars' own staleness is measured by the
  # loader, whatever Batch says (https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html).
  stuck = [
    "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY",
    "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE",
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT",
  ]
}

resource "aws_batch_compute_environment" "this" {
  for_each = local.environments

  name_prefix = "${var.name_prefix}-${each.key == "FARGATE" ? "demand" : "spot"}-"
  type        = "MANAGED"
  state       = "ENABLED"
  tags        = local.tags

  compute_resources {
    type               = each.key
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
  for_each = local.queues

  name     = "${var.name_prefix}-${each.key}"
  state    = "ENABLED"
  priority = 1
  tags     = local.tags

  dynamic "compute_environment_order" {
    for_each = each.value

    content {
      order               = compute_environment_order.key + 1
      compute_environment = aws_batch_compute_environment.this[compute_environment_order.value].arn
    }
  }

  # A job that cannot start fails within two hours, and a job that failed is an alarm.
  dynamic "job_state_time_limit_action" {
    for_each = local.stuck

    content {
      action           = "CANCEL"
      state            = "RUNNABLE"
      reason           = job_state_time_limit_action.value
      max_time_seconds = 7200
    }
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
