variable "environment" {
  description = "Beside which deployment the component is tested: dev, staging or prod. It is part of every name."
  type        = string
  default     = "dev"

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "condvest"
}

variable "aws_region" {
  description = "Region of everything."
  type        = string
  default     = "ca-west-1"
}

variable "aws_account_id" {
  description = "The account it belongs to; any other is refused. Empty: whatever account the credentials are of."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9]{12})?$", var.aws_account_id))
    error_message = "aws_account_id must have 12 digits."
  }
}

variable "runtime" {
  description = "Python of the functions, which there are none of here, and the architecture that the image is built for."
  type = object({
    name         = optional(string, "python3.13")
    architecture = optional(string, "x86_64")
  })
  default = {}
}

variable "container_image" {
  description = "The jobs' image by digest. deploy.sh fills this in; null before the first push."
  type        = string
  default     = null
}
