# PostgreSQL on RDS: private, encrypted, TLS only, IAM logins, backed up to any second.
data "aws_caller_identity" "current" {}

data "aws_region" "current" {}

data "aws_partition" "current" {}

locals {
  identifier = "${var.name_prefix}-db"
  tags       = merge({ component = "database" }, var.tags)

  # Ready before the first line is written, so that the retention is ours and not "for ever".
  log_exports = ["postgresql", "upgrade"]
}

resource "aws_db_subnet_group" "this" {
  name        = local.identifier
  description = "Private subnets of ${local.identifier}"
  subnet_ids  = var.subnet_ids
  tags        = local.tags
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:Encrypted by CloudWatch itself; a customer key costs 1 USD a month for logs that hold no secret
  #checkov:skip=CKV_AWS_338:A year of debugging logs helps nobody; the retention is a variable
  for_each = toset(local.log_exports)

  name              = "/aws/rds/instance/${local.identifier}/${each.value}"
  retention_in_days = var.log_days
  tags              = local.tags
}

resource "terraform_data" "made" {
  input = plantimestamp()

  lifecycle {
    ignore_changes = [input]
  }
}

resource "aws_db_instance" "this" {
  #checkov:skip=CKV_AWS_133:backup_retention_period is never 0: backup_days is validated to be from 1 to 35
  #checkov:skip=CKV2_AWS_69:rds.force_ssl is 1 in parameters.tf; checkov cannot read a dynamic block, the plan test can
  #checkov:skip=CKV_AWS_157:A second zone doubles the price; the archive rebuilds the database, and instance.multi_az switches it on
  #checkov:skip=CKV_AWS_354:Encrypted with the AWS managed key; a customer key costs 1 USD a month
  #checkov:skip=CKV_AWS_293:On wherever data are to be kept (var.protected); a dev database must be deletable
  identifier     = local.identifier
  engine         = "postgres"
  engine_version = var.engine_version
  instance_class = var.instance.class

  # gp3 gives 3,000 operations a second from 20 GiB on; the volume grows by itself up to the limit.
  storage_type          = "gp3"
  allocated_storage     = var.instance.storage_gib
  max_allocated_storage = var.instance.largest_storage_gib
  storage_encrypted     = true
  multi_az              = var.instance.multi_az

  db_name              = "condvest"
  username             = "condvest_admin"
  port                 = 5432
  parameter_group_name = aws_db_parameter_group.this.name

  # RDS makes the administrator's password, keeps it in Secrets Manager and rotates it: no state holds it.
  manage_master_user_password         = true
  iam_database_authentication_enabled = true

  db_subnet_group_name   = aws_db_subnet_group.this.name
  vpc_security_group_ids = [var.security_group_id]
  publicly_accessible    = false
  ca_cert_identifier     = "rds-ca-rsa2048-g1"

  # UTC. Both lie after the evening's loads (from 20:30 in New York) and before the morning's (06:00), so also while an
  # instance with hours is awake: from Friday's evening to Saturday's morning it is.
  backup_retention_period = var.backup_days
  backup_window           = "04:00-05:00"
  maintenance_window      = var.hours == null ? "sun:15:30-sun:16:30" : "sat:05:30-sat:06:30"
  copy_tags_to_snapshot   = true

  # Where data count, a snapshot stays even when the protection was lifted to destroy the rest. Its name holds the instant
  # at which the environment was made, so that the next one's does not stand in its way.
  deletion_protection       = var.protected
  skip_final_snapshot       = !var.final_snapshot
  final_snapshot_identifier = "${local.identifier}-final-${formatdate("YYYYMMDDhhmmss", terraform_data.made.input)}"
  delete_automated_backups  = !var.final_snapshot

  # A version that RDS has withdrawn or mended; changes of class and parameters wait for the window where data count.
  auto_minor_version_upgrade  = true
  engine_lifecycle_support    = "open-source-rds-extended-support-disabled" # which is billed by the vCPU hour
  allow_major_version_upgrade = false
  apply_immediately           = !var.protected

  # What the console calls Database Insights now; this is the free mode of it.
  database_insights_mode                = "standard"
  performance_insights_enabled          = true
  performance_insights_retention_period = 7 # days; the free tier
  monitoring_interval                   = 60
  monitoring_role_arn                   = var.monitor_role_arn
  enabled_cloudwatch_logs_exports       = local.log_exports

  tags = local.tags

  depends_on = [aws_cloudwatch_log_group.this]

  lifecycle {
    # The volume grows by itself; Terraform must not ask to shrink it. The life cycle is fixed when an instance is made.
    ignore_changes = [allocated_storage, engine_lifecycle_support]
  }
}

# What no metric tells: a failover, a failure, a volume that cannot grow, a maintenance that is due. Starts and stops are
# notices, which it leaves out.
resource "aws_db_event_subscription" "this" {
  name             = local.identifier
  sns_topic        = var.alert_topic_arn
  source_type      = "db-instance"
  source_ids       = [aws_db_instance.this.identifier]
  event_categories = ["failover", "failure", "low storage", "maintenance", "recovery", "security patching"]
  tags             = local.tags
}

# Each client logs in as its own database user and no other, with a token signed by its own role.
data "aws_iam_policy_document" "connect" {
  for_each = var.clients

  statement {
    sid     = "LogIn"
    actions = ["rds-db:connect"]
    resources = [join(":", [
      "arn:${data.aws_partition.current.partition}:rds-db:${data.aws_region.current.region}",
      data.aws_caller_identity.current.account_id,
      "dbuser:${aws_db_instance.this.resource_id}/${each.value.user}",
    ])]
  }
}

resource "aws_iam_role_policy" "connect" {
  for_each = var.clients

  name   = "database"
  role   = each.value.role
  policy = data.aws_iam_policy_document.connect[each.key].json
}
