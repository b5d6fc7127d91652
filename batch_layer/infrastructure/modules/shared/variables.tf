variable "name_prefix" {
  description = "Prefix of every name, for example condvest-dev. It keeps environments and component tests apart."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,27}$", var.name_prefix)) && !endswith(var.name_prefix, "-")
    error_message = "name_prefix must have 3 to 28 characters, lower-case letters, digits and hyphens, begin with a letter and end without a hyphen: bucket and role names are built from it."
  }
}

variable "network" {
  description = "An existing network to use, or null to create one. Private subnets hold the database and the loader, public subnets the jobs; the route tables get the S3 gateway endpoint (none if it is there already)."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    public_subnet_ids  = list(string)
    route_table_ids    = list(string)
  })
  default = null

  validation {
    condition     = var.network == null || try(length(var.network.private_subnet_ids) >= 2 && length(var.network.public_subnet_ids) >= 1, false)
    error_message = "network needs at least two private subnets, in two zones (RDS refuses fewer), and one public subnet."
  }
}

variable "vpc_cidr" {
  description = "Address range of the network that is created when network is null; divided into four equal subnets."
  type        = string
  default     = "10.60.0.0/22"

  validation {
    condition     = can(cidrsubnet(var.vpc_cidr, 2, 3)) && try(tonumber(split("/", var.vpc_cidr)[1]) <= 24, false)
    error_message = "vpc_cidr must be an IPv4 range of /24 or larger, for example 10.60.0.0/22."
  }
}

variable "protected" {
  description = "Keep data: a bucket that still holds objects refuses to be destroyed. False lets `deploy.sh ENV destroy` empty it."
  type        = bool
  default     = true
}

variable "backup_region" {
  description = "Another region, to which the archive is copied as it grows; null: it lies in this region alone."
  type        = string
  default     = null

  validation {
    condition     = var.backup_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.backup_region))
    error_message = "backup_region must be the name of a region, such as ca-central-1, or null."
  }
}

variable "serving" {
  description = "Whether there is a function that serves the published data set, and so a role for it."
  type        = bool
  default     = false
}

variable "live" {
  description = "Whether there is a job that collects the session under way, and so a role for it and a place for its journal."
  type        = bool
  default     = false
}

variable "alert_emails" {
  description = "Addresses that get every alarm. AWS asks each one once to confirm."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for address in var.alert_emails : can(regex("^[^@[:space:]]+@[^@[:space:]]+$", address))])
    error_message = "alert_emails must hold e-mail addresses."
  }
}

variable "tags" {
  description = "Tags of everything in this module, beside the provider's default tags."
  type        = map(string)
  default     = {}
}
