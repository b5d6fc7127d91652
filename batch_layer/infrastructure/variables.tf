variable "environment" {
  description = "Which deployment this is: dev, staging or prod. It is part of every name, so they can share an account."
  type        = string

  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment must be dev, staging or prod."
  }
}

variable "project" {
  description = "First part of every name."
  type        = string
  default     = "condvest"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,18}[a-z0-9]$", var.project))
    error_message = "project must have 3 to 20 characters: lower-case letters, digits and hyphens, beginning with a letter, not ending with a hyphen."
  }
}

variable "aws_region" {
  description = "Region of everything."
  type        = string
  default     = "ca-west-1"

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.aws_region))
    error_message = "aws_region must be the name of a region, such as ca-west-1."
  }
}

variable "aws_account_id" {
  description = "The account this environment belongs to; any other is refused. Empty: whatever account the credentials are of."
  type        = string
  default     = ""

  validation {
    condition     = can(regex("^([0-9]{12})?$", var.aws_account_id))
    error_message = "aws_account_id must have 12 digits."
  }
}

variable "owner" {
  description = "Who answers for the cost and the alarms; a tag."
  type        = string
}

variable "cost_centre" {
  description = "Where the cost is booked; a tag."
  type        = string
}

variable "alert_emails" {
  description = "Addresses that get every alarm and budget warning."
  type        = set(string)
  default     = []
}

variable "monthly_budget_usd" {
  description = "A warning is sent at 80 % of this spending in a month, and when the forecast exceeds it."
  type        = number

  validation {
    condition     = var.monthly_budget_usd >= 1
    error_message = "monthly_budget_usd must be at least 1."
  }
}

variable "protected" {
  description = "Keep data: the database refuses deletion, buckets and the image repository refuse it while they hold something."
  type        = bool
  default     = true
}

variable "final_snapshot" {
  description = "Keep a snapshot and the automated backups of the database when it is destroyed."
  type        = bool
  default     = true
}

variable "network" {
  description = "An existing network to use, or null to create one."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
    public_subnet_ids  = list(string)
    route_table_ids    = list(string)
  })
  default = null
}

variable "database" {
  description = "PostgreSQL: instance class, storage in GiB, a standby in a second zone, days of backups."
  type = object({
    class               = optional(string, "db.t4g.small")
    storage_gib         = optional(number, 20)
    largest_storage_gib = optional(number, 100)
    multi_az            = optional(bool, false)
    backup_days         = optional(number, 7)
  })
  default = {}
}

variable "backup_region" {
  description = "Another region, to which the archive and the database's backups are copied as they are made; null: they lie in this region alone."
  type        = string
  default     = null

  validation {
    condition     = var.backup_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.backup_region))
    error_message = "backup_region must be the name of a region, such as ca-central-1, or null."
  }
}

variable "database_hours" {
  description = "When the database is started and stopped (`start`, `stop`: EventBridge Scheduler expressions in New York time); null: it always runs. It must run from before the evening's schedules until after the morning's."
  type        = object({ start = string, stop = string })
  default     = null
}

variable "shards" {
  description = "Into how many jobs a resampling is divided; each holds a connection of the database."
  type        = number
  default     = 8
}

variable "vendor" {
  description = "Who delivers the data (massive or yahoo), and the plan subscribed to."
  type = object({
    provider = optional(string, "massive")
    plan     = optional(string, "basic")
  })
  default = {}
}

variable "schedules_enabled" {
  description = "Whether the nightly schedules run."
  type        = bool
  default     = true
}

variable "reserved_concurrency" {
  description = "How many loaders may run at once; -1 reserves nothing, for an account whose quota is too small."
  type        = number
  default     = 2
}

variable "capacity" {
  description = "FARGATE_SPOT or FARGATE for the jobs."
  type        = string
  default     = "FARGATE_SPOT"
}

variable "runtime" {
  description = "Lambda runtime, and the architecture of functions and jobs, that the artefacts are built for."
  type = object({
    name         = optional(string, "python3.13")
    architecture = optional(string, "x86_64")
  })
  default = {}
}

variable "lambda_layer_arns" {
  description = "Layers with the heavy dependencies. deploy.sh fills this in; set it in terraform.tfvars to hold one version."
  type        = list(string)
  default     = []
}

variable "function_package" {
  description = "Path and sha256 of the function package. deploy.sh fills this in."
  type        = object({ path = string, sha256 = string })
}

variable "layer_package" {
  description = "Path and sha256 of the layer, published when lambda_layer_arns is empty. deploy.sh fills this in."
  type        = object({ path = string, sha256 = string })
  default     = null
}

variable "container_image" {
  description = "The jobs' image by digest. deploy.sh fills this in; null before the first push."
  type        = string
  default     = null
}
