variable "name_prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "roles" {
  description = "Roles made by the shared module: fetcher, loader and scheduler are used here."
  type        = map(object({ name = string, arn = string }))
}

variable "archive" {
  description = "The archive: bucket, prefix of its keys, and its URI as CONDVEST_ARCHIVE takes it."
  type        = object({ bucket = string, prefix = string, uri = string })
}

variable "vendor" {
  description = "Who delivers: provider (massive or yahoo), the plan subscribed to, and the ARN of the secret that holds the key."
  type        = object({ provider = string, plan = string, secret_arn = string })

  validation {
    condition     = contains(["massive", "yahoo"], var.vendor.provider)
    error_message = "vendor.provider must be massive or yahoo."
  }

  validation {
    condition     = contains(["basic", "paid"], var.vendor.plan)
    error_message = "vendor.plan must be basic or paid (paid is every plan but the free one)."
  }
}

variable "package" {
  description = "The function package as build_packages.sh made it: path of the zip and its sha256 in hex."
  type        = object({ path = string, sha256 = string })

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package.sha256))
    error_message = "package.sha256 must be 64 hex digits, as build_packages.sh writes them."
  }
}

variable "lambda_layer_arns" {
  description = "Layers with the heavy dependencies, as versions with their number. Empty: layer_package is published."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.lambda_layer_arns : can(regex("^arn:[a-z-]+:lambda:[a-z0-9-]+:[0-9]{12}:layer:[A-Za-z0-9_-]+:[0-9]+$", arn))])
    error_message = "lambda_layer_arns must hold ARNs of layer versions, ending in :layer:NAME:NUMBER."
  }

  validation {
    condition     = length(var.lambda_layer_arns) <= 5
    error_message = "Lambda takes at most five layers."
  }
}

variable "layer_package" {
  description = "The layer as build_layer.sh made it, published when lambda_layer_arns is empty; null for a package that needs no layer."
  type        = object({ path = string, sha256 = string })
  default     = null
}

variable "runtime" {
  description = "Lambda runtime and architecture that package and layer were built for."
  type = object({
    name         = optional(string, "python3.13")
    architecture = optional(string, "x86_64")
  })
  default = {}

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime.name)
    error_message = "runtime.name must be python3.12, python3.13 or python3.14: python3.11 runs on Amazon Linux 2, whose C library (glibc 2.26) is older than numpy's wheels need."
  }

  validation {
    condition     = contains(["x86_64", "arm64"], var.runtime.architecture)
    error_message = "runtime.architecture must be x86_64 or arm64."
  }
}

variable "loader" {
  description = "Where the loader reaches the database, or null to archive only: subnets, security group, and CONDVEST_DATABASE_URL without password."
  type        = object({ subnet_ids = list(string), security_group_id = string, database_url = string })
  default     = null

  validation {
    condition     = var.loader == null || !can(regex("//[^@/]*:[^@/]*@", var.loader.database_url))
    error_message = "loader.database_url must hold no password: the loader logs in by IAM."
  }
}

variable "schedules" {
  description = "When each function runs, in the exchange's time zone: function (daily_ohlcv_fetcher, daily_meta_fetcher or archive_loader) and an EventBridge Scheduler expression. Those of the loader are left out where there is none."
  type        = map(object({ function = string, expression = string }))
  default = {
    # Two listings' files and the day's actions before the bars that need them; the bars after the close, and again
    # before the next open for what was not ready or was corrected.
    metadata = { function = "daily_meta_fetcher", expression = "cron(0 19 ? * MON-FRI *)" }
    evening  = { function = "daily_ohlcv_fetcher", expression = "cron(30 20 ? * MON-FRI *)" }
    morning  = { function = "daily_ohlcv_fetcher", expression = "cron(0 6 ? * TUE-SAT *)" }
    # What the archive holds and no event told the loader of; it also measures how stale all is.
    sweep = { function = "archive_loader", expression = "cron(0 7 ? * TUE-SAT *)" }
  }

  validation {
    condition     = alltrue([for schedule in var.schedules : contains(["daily_ohlcv_fetcher", "daily_meta_fetcher", "archive_loader"], schedule.function)])
    error_message = "A schedule's function must be daily_ohlcv_fetcher, daily_meta_fetcher or archive_loader."
  }

  validation {
    condition     = alltrue([for schedule in var.schedules : can(regex("^(cron\\([^ ]+( [^ ]+){5}\\)|rate\\([0-9]+ (minutes?|hours?|days?)\\))$", schedule.expression))])
    error_message = "A schedule's expression must be cron(...) with six fields, or rate(...)."
  }
}

variable "schedules_enabled" {
  description = "Whether the schedules run. Off, everything is there and nothing is fetched by itself."
  type        = bool
  default     = true
}

variable "reserved_concurrency" {
  description = "How many copies of the loader may run at once; each fetcher is held to one. -1 reserves nothing: an account new to AWS may have too small a quota."
  type        = number
  default     = 2

  validation {
    condition     = var.reserved_concurrency == -1 || var.reserved_concurrency >= 1 && var.reserved_concurrency <= 10
    error_message = "reserved_concurrency must be -1 or from 1 to 10: each copy holds a database connection."
  }
}

variable "alert_topic_arn" {
  description = "Topic of the alarms."
  type        = string
}

variable "log_days" {
  description = "How many days logs are kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything in this module, beside the provider's default tags."
  type        = map(string)
  default     = {}
}
