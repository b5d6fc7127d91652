variable "name_prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "roles" {
  description = "Roles made by the shared module: migrate, resample, backfill, publish, execution, events and scheduler are used here."
  type        = map(object({ name = string, arn = string }))
}

variable "network" {
  description = "Where the jobs run: public subnets and their security group, which takes no connection."
  type        = object({ subnet_ids = list(string), security_group_id = string })
}

variable "container_image" {
  description = "The image by digest (REPOSITORY@sha256:...), as build_container.sh pushed it; null before the first push, when there is a repository and no job yet."
  type        = string
  default     = null

  validation {
    condition     = var.container_image == null || can(regex("@sha256:[0-9a-f]{64}$", var.container_image))
    error_message = "container_image must end in @sha256: and 64 hex digits: a tag could change under a running job."
  }
}

variable "architecture" {
  description = "Architecture that the image was built for."
  type        = string
  default     = "x86_64"

  validation {
    condition     = contains(["x86_64", "arm64"], var.architecture)
    error_message = "architecture must be x86_64 or arm64."
  }
}

variable "capacity" {
  description = "FARGATE_SPOT (about 70 % cheaper, may be reclaimed and is then retried) or FARGATE."
  type        = string
  default     = "FARGATE_SPOT"

  validation {
    condition     = contains(["FARGATE_SPOT", "FARGATE"], var.capacity)
    error_message = "capacity must be FARGATE_SPOT or FARGATE."
  }
}

variable "max_vcpus" {
  description = "How many vCPUs may run at once: the upper bound of what the jobs can cost in an hour."
  type        = number
  default     = 16

  validation {
    condition     = var.max_vcpus >= 1 && var.max_vcpus <= 256
    error_message = "max_vcpus must be from 1 to 256."
  }
}

variable "shards" {
  description = "Into how many jobs a resampling is divided: a divisor of the 64 partitions, at least 2 (the smallest array)."
  type        = number
  default     = 8

  validation {
    condition     = contains([2, 4, 8, 16, 32, 64], var.shards)
    error_message = "shards must be 2, 4, 8, 16, 32 or 64: the instruments lie in 64 partitions."
  }
}

variable "job_sizes" {
  description = "vCPU, memory in MiB and time limit in seconds by job: migrate, resample, backfill, publish."
  type        = map(object({ vcpu = number, memory = number, timeout = number }))
  default = {
    migrate  = { vcpu = 0.25, memory = 1024, timeout = 1800 }
    resample = { vcpu = 0.5, memory = 2048, timeout = 3600 }
    backfill = { vcpu = 1, memory = 4096, timeout = 43200 }
    publish  = { vcpu = 1, memory = 4096, timeout = 7200 }
  }

  validation {
    condition     = toset(keys(var.job_sizes)) == toset(["migrate", "resample", "backfill", "publish"])
    error_message = "job_sizes must have exactly migrate, resample, backfill and publish."
  }

  # https://docs.aws.amazon.com/batch/latest/APIReference/API_ResourceRequirement.html
  validation {
    condition = alltrue([
      for size in var.job_sizes : contains(
        lookup({
          "0.25" = [512, 1024, 2048]
          "0.5"  = range(1024, 4097, 1024)
          "1"    = range(2048, 8193, 1024)
          "2"    = range(4096, 16385, 1024)
          "4"    = range(8192, 30721, 1024)
        }, tostring(size.vcpu), []),
        size.memory
      )
    ])
    error_message = "Fargate has no such pair: 0.25 vCPU takes 512, 1024 or 2048 MiB; 0.5 takes 1024-4096; 1 takes 2048-8192; 2 takes 4096-16384; 4 takes 8192-30720, in steps of 1024."
  }

  validation {
    condition     = alltrue([for size in var.job_sizes : size.timeout >= 60 && size.timeout <= 86400])
    error_message = "A job's timeout must be from 60 s (the least that Batch takes) to 86400 s."
  }
}

variable "database" {
  description = "CONDVEST_DATABASE_URL of the jobs (IAM), of the backfill (IAM, with more rights) and of the administrator (who migrates), without password, and the ARN of the secret of the latter's."
  type        = object({ jobs_url = string, backfill_url = string, admin_url = string, admin_secret_arn = string })

  validation {
    condition     = alltrue([for url in [var.database.jobs_url, var.database.backfill_url, var.database.admin_url] : !can(regex("//[^@/]*:[^@/]*@", url))])
    error_message = "database.jobs_url, database.backfill_url and database.admin_url must hold no password."
  }
}

variable "archive_uri" {
  description = "CONDVEST_ARCHIVE."
  type        = string
}

variable "published_uri" {
  description = "CONDVEST_PUBLISHED: where the bars are published."
  type        = string

  validation {
    condition     = can(regex("^s3://[^/]+/.+[^/]$", var.published_uri))
    error_message = "published_uri must be s3://bucket/prefix."
  }
}

variable "vendor" {
  description = "Who delivers: provider (massive or yahoo), the plan subscribed to, and the ARN of the secret that holds the key."
  type        = object({ provider = string, plan = string, secret_arn = string })
}

variable "sweep" {
  description = "When a resampling is started whatever was told, in the exchange's time zone: an EventBridge Scheduler expression."
  type        = string
  default     = "cron(0 8 ? * TUE-SAT *)" # after the morning's loads and the loader's own sweep at 7

  validation {
    condition     = can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", var.sweep))
    error_message = "sweep must be cron(...) with six fields."
  }
}

variable "rescan" {
  description = "When the image in use is scanned again for vulnerabilities, in the exchange's time zone: an EventBridge Scheduler expression, once a day at most; null where the registry has enhanced scanning, which scans by itself."
  type        = string
  default     = "cron(0 13 * * ? *)" # each day, when somebody is there to read the result

  validation {
    condition     = var.rescan == null || can(regex("^cron\\([^ ]+( [^ ]+){5}\\)$", var.rescan))
    error_message = "rescan must be cron(...) with six fields, or null."
  }
}

variable "schedule_group" {
  description = "Schedule group of the sweep and the scans."
  type        = string
  default     = "default"
}

variable "schedules_enabled" {
  description = "Whether the sweep and the daily scans run."
  type        = bool
  default     = true
}

variable "trigger" {
  description = "The loader, whose result starts a resampling when something changed, and that a publication; null: jobs are started by hand."
  type        = object({ function_arn = string })
  default     = null
}

variable "protected" {
  description = "Keep data: the repository is not deleted while it holds images."
  type        = bool
  default     = true
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
