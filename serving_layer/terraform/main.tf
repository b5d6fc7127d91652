# For testing only: the serving layer alone, with a published bucket of its own, under its own names and state. What it answers
# is what is published into that bucket: condvest publish --to, with the published_uri that this prints.
provider "aws" {
  region              = var.aws_region
  allowed_account_ids = var.aws_account_id == "" ? null : [var.aws_account_id]

  default_tags {
    tags = {
      project     = var.project
      environment = var.environment
      layer       = "serving"
      owner       = "component-test"
      cost_centre = "component-test"
    }
  }
}

locals {
  name_prefix = "${var.project}-${var.environment}-serving"
}

module "shared" {
  source = "../../batch_layer/infrastructure/modules/shared"

  name_prefix = local.name_prefix
  protected   = false
  serving     = true
}

module "serving" {
  source = "../../batch_layer/infrastructure/modules/serving"

  name_prefix     = local.name_prefix
  role            = module.shared.roles["serve"]
  access          = "iam" # there is nobody yet who gives tokens
  package         = var.serving_package
  package_bucket  = module.shared.published_bucket
  published_uri   = module.shared.published_uri
  runtime         = var.runtime
  alert_topic_arn = module.shared.alert_topic_arn
}
