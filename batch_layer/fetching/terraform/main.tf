# For testing only: the functions with an archive and a database of their own, alone, under its own names and state.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.aws_account_id == "" ? null : [var.aws_account_id]

  default_tags {
    tags = {
      project     = var.project
      environment = var.environment
      layer       = "batch"
      owner       = "component-test"
      cost_centre = "component-test"
    }
  }
}

locals {
  name_prefix = "${var.project}-${var.environment}-fetching"
  loader_user = "condvest_loader"
}

module "shared" {
  source = "../../infrastructure/modules/shared"

  name_prefix = local.name_prefix
  protected   = false
}

module "database" {
  source = "../../infrastructure/modules/database"

  name_prefix       = local.name_prefix
  subnet_ids        = module.shared.private_subnet_ids
  security_group_id = module.shared.security_group_ids["database"]
  monitor_role_arn  = module.shared.roles["monitor"].arn
  alert_topic_arn   = module.shared.alert_topic_arn
  protected         = false
  final_snapshot    = false
  backup_days       = 1

  clients = {
    loader = { role = module.shared.roles["loader"].name, user = local.loader_user }
  }
}

module "fetching" {
  source = "../../infrastructure/modules/fetching"

  name_prefix       = local.name_prefix
  roles             = module.shared.roles
  package           = var.function_package
  layer_package     = var.layer_package
  lambda_layer_arns = var.lambda_layer_arns
  runtime           = var.runtime
  schedules_enabled = false # a test is started by hand
  alert_topic_arn   = module.shared.alert_topic_arn

  # Nothing is reserved from the account for a test.
  reserved_concurrency = -1

  archive = {
    bucket = module.shared.archive_bucket
    prefix = module.shared.archive_prefix
    uri    = module.shared.archive_uri
  }
  vendor = {
    provider   = var.vendor.provider
    plan       = var.vendor.plan
    secret_arn = module.shared.vendor_secret_arn
  }
  loader = {
    subnet_ids        = module.shared.private_subnet_ids
    security_group_id = module.shared.security_group_ids["loader"]
    database_url      = module.database.urls[local.loader_user]
  }
}
