variable "name_prefix" {
  description = "Prefix of every name; the database instance itself is called NAME_PREFIX-db."
  type        = string
}

variable "subnet_ids" {
  description = "Private subnets, in at least two zones."
  type        = list(string)
}

variable "security_group_id" {
  description = "Security group of the database."
  type        = string
}

variable "clients" {
  description = "Who logs in by IAM: the name of an IAM role, and the database user it may log in as."
  type        = map(object({ role = string, user = string }))
  default     = {}
}

variable "monitor_role_arn" {
  description = "Role under which RDS writes operating-system metrics."
  type        = string
}

variable "alert_topic_arn" {
  description = "Topic of the alarms."
  type        = string
}

variable "engine_version" {
  description = "Major version of PostgreSQL; RDS picks and keeps up the minor one."
  type        = string
  default     = "18"

  validation {
    condition     = contains(["16", "17", "18"], var.engine_version)
    error_message = "engine_version must be 16, 17 or 18: the parameter group and the SQL are tested on those."
  }
}

variable "instance" {
  description = "Size of the instance: class, first and largest storage in GiB, and whether a second zone holds a standby."
  type = object({
    class               = optional(string, "db.t4g.small")
    storage_gib         = optional(number, 20)
    largest_storage_gib = optional(number, 100)
    multi_az            = optional(bool, false)
  })
  default = {}

  validation {
    condition     = can(regex("^db\\.[a-z0-9]+\\.[a-z0-9]+$", var.instance.class))
    error_message = "instance.class must be a class of RDS such as db.t4g.micro."
  }

  # AWS wants "between 300 and 1000 MiB extra memory" for reliable logins by IAM; 1 GiB with PostgreSQL and RDS in it does not
  # have that (measured by others: 90 to 145 MB free on a micro).
  # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html
  validation {
    condition     = !can(regex("\\.(micro|nano)$", var.instance.class))
    error_message = "instance.class must have 2 GiB of memory or more, such as db.t4g.small: logins by IAM time out on a micro."
  }

  validation {
    condition     = var.instance.storage_gib >= 20 && var.instance.largest_storage_gib > var.instance.storage_gib && var.instance.largest_storage_gib <= 1000
    error_message = "instance.storage_gib must be at least 20 (the smallest gp3 volume) and largest_storage_gib above it, at most 1000."
  }
}

variable "hours" {
  description = "When the instance is started and stopped (EventBridge Scheduler expressions in New York time), or null: it always runs. Asleep it costs its storage alone."
  type        = object({ start = string, stop = string })
  default     = null

  validation {
    condition     = var.hours == null || alltrue([for expression in values(coalesce(var.hours, {})) : can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", expression))])
    error_message = "hours.start and hours.stop must be cron(...) with six fields."
  }
}

variable "scheduler_role" {
  description = "Role under which EventBridge Scheduler starts and stops the instance; needed with hours."
  type        = object({ name = string, arn = string })
  default     = null
}

variable "backup_days" {
  description = "How many days back the database can be restored to any second."
  type        = number
  default     = 7

  validation {
    condition     = var.backup_days >= 1 && var.backup_days <= 35
    error_message = "backup_days must be from 1 to 35; 0 would switch point-in-time recovery off."
  }
}

variable "backup_region" {
  description = "Another region, to which the automated backups are copied as they are made; null: they lie in this region alone."
  type        = string
  default     = null

  validation {
    condition     = var.backup_region == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.backup_region))
    error_message = "backup_region must be the name of a region, such as ca-central-1, or null."
  }
}

variable "protected" {
  description = "Keep data: refuse deletion, and let changes that restart it wait for the maintenance window."
  type        = bool
  default     = true
}

variable "final_snapshot" {
  description = "Keep a snapshot and the automated backups when the instance is destroyed."
  type        = bool
  default     = true
}

variable "log_days" {
  description = "How many days the PostgreSQL log is kept."
  type        = number
  default     = 30
}

variable "tags" {
  description = "Tags of everything in this module, beside the provider's default tags."
  type        = map(string)
  default     = {}
}
