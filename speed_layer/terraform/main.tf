# For testing only: the collector with a database, a queue and buckets of its own, alone, under its own names and state. Its
# schedules are off: submit its job definition by hand while the exchange is open.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.aws_account_id == "" ? null : [var.aws_account_id]

  default_tags {
    tags = {
      project     = var.project
      environment = var.environment
      layer       = "speed"
      owner       = "component-test"
      cost_centre = "component-test"
    }
  }
}

locals {
  name_prefix = "${var.project}-${var.environment}-live"

  jobs_user     = "condvest_jobs"
  backfill_user = "condvest_backfill"
  live_user     = "condvest_live"

  vendor = {
    provider   = "massive"
    plan       = "paid"
    secret_arn = module.shared.vendor_secret_arn
  }
}

module "shared" {
  source = "../../batch_layer/infrastructure/modules/shared"

  name_prefix = local.name_prefix
  protected   = false
  live        = true
}

module "database" {
  source = "../../batch_layer/infrastructure/modules/database"

  name_prefix       = local.name_prefix
  subnet_ids        = module.shared.private_subnet_ids
  security_group_id = module.shared.security_group_ids["database"]
  monitor_role_arn  = module.shared.roles["monitor"].arn
  alert_topic_arn   = module.shared.alert_topic_arn
  protected         = false
  final_snapshot    = false
  backup_days       = 1

  clients = {
    resample = { role = module.shared.roles["resample"].name, user = local.jobs_user }
    backfill = { role = module.shared.roles["backfill"].name, user = local.backfill_user }
    publish  = { role = module.shared.roles["publish"].name, user = local.jobs_user }
    live     = { role = module.shared.roles["live"].name, user = local.live_user }
  }
}

module "processing" {
  source = "../../batch_layer/infrastructure/modules/processing"

  name_prefix     = local.name_prefix
  roles           = module.shared.roles
  container_image = var.container_image
  architecture    = var.runtime.architecture
  protected       = false
  archive_uri     = module.shared.archive_uri
  published_uri   = module.shared.published_uri
  alert_topic_arn = module.shared.alert_topic_arn
  rescan          = null # it does not stay for days
  vendor          = local.vendor

  network = {
    subnet_ids        = module.shared.public_subnet_ids
    security_group_id = module.shared.security_group_ids["jobs"]
  }
  database = {
    jobs_url         = module.database.urls[local.jobs_user]
    backfill_url     = module.database.urls[local.backfill_user]
    admin_url        = module.database.urls[module.database.admin_user]
    admin_secret_arn = module.database.admin_secret_arn
  }
}

module "live" {
  source = "../../batch_layer/infrastructure/modules/live"

  name_prefix       = local.name_prefix
  role              = module.shared.roles["live"]
  scheduler_role    = module.shared.roles["scheduler"]
  job               = module.processing.how
  database_url      = module.database.urls[local.live_user]
  published_uri     = module.shared.published_uri
  journal_uri       = module.shared.journal_uri
  vendor            = local.vendor
  schedules_enabled = false
  alert_topic_arn   = module.shared.alert_topic_arn
}
