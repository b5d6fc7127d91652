# For testing only: the fetchers with an archive of their own, alone, under their own names and state. There is no loader and
# no database: nothing here could migrate one, so what is fetched is archived and no more.
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
}

module "shared" {
  source = "../../infrastructure/modules/shared"

  name_prefix = local.name_prefix
  protected   = false
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
}
