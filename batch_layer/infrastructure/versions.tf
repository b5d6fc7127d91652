terraform {
  required_version = ">= 1.5.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 6.69, < 7.0"
    }
  }

  # deploy.sh overrides bucket, key and region (-backend-config), and switches the lock file on: Terraform knows it from
  # 1.10 on, and an earlier one would refuse the argument here.
  backend "s3" {
    bucket  = "condvest-terraform-state"
    key     = "batch-layer/terraform.tfstate"
    region  = "ca-west-1"
    encrypt = true
  }
}
