# Of the layers above the batch layer; each is made only where its environment asks for it.
variable "serving_access" {
  description = "Whether the published data set is served over HTTP, and to whom: none (nothing is made), iam or jwt."
  type        = string
  default     = "none"

  validation {
    condition     = contains(["none", "iam", "jwt"], var.serving_access)
    error_message = "serving_access must be none, iam or jwt."
  }
}

variable "serving_jwt" {
  description = "With serving_access = jwt: the issuer's URL, and the audiences of which a token must name one."
  type        = object({ issuer = string, audience = list(string) })
  default     = null
}

variable "serving_host_names" {
  description = "Further names that requests may be for, such as that of a domain of your own."
  type        = list(string)
  default     = []
}

variable "serving_package" {
  description = "Path and sha256 of the serving package, where something is served. deploy.sh fills this in."
  type        = object({ path = string, sha256 = string })
  default     = null
}

variable "live" {
  description = "Whether the session under way is collected, by a job that is scheduled."
  type        = bool
  default     = false
}

variable "live_settings" {
  description = "How: hours (regular or extended), feed (stream or poll), stream_url (of late data wss://delayed.massive.com/stocks), stale_minutes (how old the data may be before it is an alarm), alert_emails (who gets what alert rules say)."
  type = object({
    hours         = optional(string, "regular")
    feed          = optional(string, "stream")
    stream_url    = optional(string)
    stale_minutes = optional(number, 30)
    alert_emails  = optional(set(string), [])
  })
  default = {}
}
