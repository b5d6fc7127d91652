variable "name_prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "role" {
  description = "Role of the job, made by the shared module."
  type        = object({ name = string, arn = string })
}

variable "scheduler_role" {
  description = "Role of EventBridge Scheduler, made by the shared module."
  type        = object({ name = string, arn = string })
}

variable "job" {
  description = "How a job is run, the output `how` of the processing module; without an image there is no job yet."
  type = object({
    image              = string
    architecture       = string
    command            = list(string)
    environment        = map(string)
    retries            = list(map(string))
    queue_arn          = string
    execution_role_arn = string
    log_group          = string
    dead_letter_arn    = string
  })
}

variable "database_url" {
  description = "CONDVEST_DATABASE_URL of the collector's user, without password: it logs in by IAM."
  type        = string

  validation {
    condition     = !can(regex("//[^@/]*:[^@/]*@", var.database_url))
    error_message = "database_url must hold no password."
  }
}

variable "database_hours" {
  description = "When the database is started and stopped, if it is at all: it must be awake while a session is collected."
  type        = object({ start = string, stop = string })
  default     = null

  validation {
    condition     = var.database_hours == null || try(endswith(var.database_hours.start, " MON *)") && endswith(var.database_hours.stop, " SAT *)"), false)
    error_message = "A session is collected by day, so the database may sleep at the weekend alone: database_hours must be null, or start on MON and stop on SAT, such as { start = \"cron(0 9 ? * MON *)\", stop = \"cron(0 9 ? * SAT *)\" }."
  }
}

variable "published_uri" {
  description = "CONDVEST_PUBLISHED: beside whose manifest the live rows are published."
  type        = string

  validation {
    condition     = can(regex("^s3://[^/]+/.+[^/]$", var.published_uri))
    error_message = "published_uri must be s3://bucket/prefix."
  }
}

variable "journal_uri" {
  description = "CONDVEST_JOURNAL: where the journal of a session is copied."
  type        = string

  validation {
    condition     = can(regex("^s3://[^/]+/.+[^/]$", var.journal_uri))
    error_message = "journal_uri must be s3://bucket/prefix."
  }
}

variable "vendor" {
  description = "Who delivers (massive, the only one with a session under way), the plan subscribed to, and the ARN of the secret that holds the key."
  type        = object({ provider = string, plan = string, secret_arn = string })

  validation {
    condition     = var.vendor.provider == "massive" && var.vendor.plan == "paid"
    error_message = "The session under way comes from massive, by a paid plan (vendor = { plan = \"paid\" }): the free one has neither snapshots nor a stream."
  }
}

variable "hours" {
  description = "regular (9:20 until 50 minutes after the close) or extended (3:50 until the late trades have ended)."
  type        = string
  default     = "regular"

  validation {
    condition     = contains(["regular", "extended"], var.hours)
    error_message = "hours must be regular or extended."
  }
}

variable "feed" {
  description = "stream (minutes, anchored by snapshots) or poll (snapshots alone, for a plan without websockets)."
  type        = string
  default     = "stream"

  validation {
    condition     = contains(["stream", "poll"], var.feed)
    error_message = "feed must be stream or poll."
  }
}

variable "stream_url" {
  description = "Address of the stream; null for the one of data that are not late. Of late data: wss://delayed.massive.com/stocks."
  type        = string
  default     = null

  validation {
    condition     = var.stream_url == null || can(regex("^wss?://", var.stream_url))
    error_message = "stream_url must begin with wss://."
  }
}

variable "stale_minutes" {
  description = "How old what readers get may be, in minutes, before it is an alarm; data of a delayed plan are 15 to 16 minutes old."
  type        = number
  default     = 30

  validation {
    condition     = var.stale_minutes >= 2 && var.stale_minutes <= 240
    error_message = "stale_minutes must be from 2 to 240."
  }
}

variable "alert_emails" {
  description = "Addresses that get what alert rules say; each has to confirm."
  type        = set(string)
  default     = []
}

variable "schedule_group" {
  description = "Schedule group of the schedules."
  type        = string
  default     = "default"
}

variable "schedules_enabled" {
  description = "Whether the schedules run."
  type        = bool
  default     = true
}

variable "alert_topic_arn" {
  description = "Topic of the alarms."
  type        = string
}

variable "tags" {
  description = "Tags of everything in this module, beside the provider's default tags."
  type        = map(string)
  default     = {}
}
