# The batch layer, and what stands on it where it is asked for: who calls whom is in docs/aws/deployment.md, each module's README says what it makes.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.aws_account_id == "" ? null : [var.aws_account_id]

  default_tags {
    tags = {
      project     = var.project
      environment = var.environment
      layer       = "batch"
      owner       = var.owner
      cost_centre = var.cost_centre
    }
  }
}

locals {
  name_prefix = "${var.project}-${var.environment}"

  # Database users, made by `condvest db migrate`; each role logs in as its own.
  loader_user   = "condvest_loader"
  jobs_user     = "condvest_jobs"
  backfill_user = "condvest_backfill"
  live_user     = "condvest_live"

  serves = var.serving_access != "none"
}

module "shared" {
  source = "./modules/shared"

  name_prefix  = local.name_prefix
  network      = var.network
  protected    = var.protected
  alert_emails = var.alert_emails

  backup_region = var.backup_region
  serving       = local.serves
  live          = var.live
}

module "database" {
  source = "./modules/database"

  name_prefix       = local.name_prefix
  subnet_ids        = module.shared.private_subnet_ids
  security_group_id = module.shared.security_group_ids["database"]
  monitor_role_arn  = module.shared.roles["monitor"].arn
  alert_topic_arn   = module.shared.alert_topic_arn
  protected         = var.protected
  final_snapshot    = var.final_snapshot
  instance          = var.database
  backup_days       = var.database.backup_days
  backup_region     = var.backup_region
  hours             = var.database_hours
  scheduler_role    = module.shared.roles["scheduler"]

  clients = merge({
    loader   = { role = module.shared.roles["loader"].name, user = local.loader_user }
    resample = { role = module.shared.roles["resample"].name, user = local.jobs_user }
    backfill = { role = module.shared.roles["backfill"].name, user = local.backfill_user }
    publish  = { role = module.shared.roles["publish"].name, user = local.jobs_user }
  }, var.live ? { live = { role = module.shared.roles["live"].name, user = local.live_user } } : {})
}

module "fetching" {
  source = "./modules/fetching"

  name_prefix          = local.name_prefix
  roles                = module.shared.roles
  package              = var.function_package
  layer_package        = var.layer_package
  lambda_layer_arns    = var.lambda_layer_arns
  runtime              = var.runtime
  schedules_enabled    = var.schedules_enabled
  reserved_concurrency = var.reserved_concurrency
  alert_topic_arn      = module.shared.alert_topic_arn

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

module "processing" {
  source = "./modules/processing"

  name_prefix     = local.name_prefix
  roles           = module.shared.roles
  container_image = var.container_image
  architecture    = var.runtime.architecture
  capacity        = var.capacity
  protected       = var.protected
  archive_uri     = module.shared.archive_uri
  published_uri   = module.shared.published_uri
  alert_topic_arn = module.shared.alert_topic_arn
  trigger         = { function_arn = module.fetching.loader_arn }
  shards          = var.shards

  schedule_group    = module.fetching.schedule_group
  schedules_enabled = var.schedules_enabled

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
  vendor = {
    provider   = var.vendor.provider
    plan       = var.vendor.plan
    secret_arn = module.shared.vendor_secret_arn
  }
}

module "serving" {
  source = "./modules/serving"
  count  = local.serves ? 1 : 0

  name_prefix     = local.name_prefix
  role            = module.shared.roles["serve"]
  access          = var.serving_access
  jwt             = var.serving_jwt
  host_names      = var.serving_host_names
  package         = var.serving_package
  package_bucket  = module.shared.published_bucket
  published_uri   = module.shared.published_uri
  runtime         = var.runtime
  alert_topic_arn = module.shared.alert_topic_arn
}

module "live" {
  source = "./modules/live"
  count  = var.live ? 1 : 0

  name_prefix       = local.name_prefix
  role              = module.shared.roles["live"]
  scheduler_role    = module.shared.roles["scheduler"]
  job               = module.processing.how
  database_url      = module.database.urls[local.live_user]
  database_hours    = var.database_hours
  published_uri     = module.shared.published_uri
  journal_uri       = module.shared.journal_uri
  schedule_group    = module.fetching.schedule_group
  schedules_enabled = var.schedules_enabled
  alert_topic_arn   = module.shared.alert_topic_arn

  hours         = var.live_settings.hours
  feed          = var.live_settings.feed
  stream_url    = var.live_settings.stream_url
  stale_minutes = var.live_settings.stale_minutes
  alert_emails  = var.live_settings.alert_emails

  vendor = {
    provider   = var.vendor.provider
    plan       = var.vendor.plan
    secret_arn = module.shared.vendor_secret_arn
  }
}
