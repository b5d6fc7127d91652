terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69, < 7.0"
    }
  }

  # Its own state: what `deploy.sh ENV all` made cannot be touched from here.
  backend "s3" {
    bucket  = "condvest-terraform-state"
    key     = "batch-layer/components/live/terraform.tfstate"
    region  = "ca-west-1"
    encrypt = true
  }
}
