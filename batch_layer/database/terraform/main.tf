# For testing only: the database, alone, under its own names and state.
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
  name_prefix = "${var.project}-${var.environment}-database"
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
    resample = { role = module.shared.roles["resample"].name, user = "condvest_jobs" }
    backfill = { role = module.shared.roles["backfill"].name, user = "condvest_backfill" }
    publish  = { role = module.shared.roles["publish"].name, user = "condvest_jobs" }
  }
}
