variable "name_prefix" {
  description = "Prefix of every name."
  type        = string
}

variable "role" {
  description = "Role of the function, made by the shared module, which lets it read the published data set."
  type        = object({ name = string, arn = string })
}

variable "access" {
  description = "Who may ask: iam (whoever this account's IAM lets call the API, requests signed by SigV4) or jwt (whoever has a token of an OpenID Connect issuer)."
  type        = string

  validation {
    condition     = contains(["iam", "jwt"], var.access)
    error_message = "access must be iam or jwt; to serve nothing, leave the module out (serving_access = \"none\")."
  }
}

variable "jwt" {
  description = "With access = jwt: the issuer's URL, and the audiences of which a token must name one."
  type        = object({ issuer = string, audience = list(string) })
  default     = null

  validation {
    condition     = var.jwt == null || try(startswith(var.jwt.issuer, "https://") && length(var.jwt.audience) > 0, false)
    error_message = "jwt.issuer must be an https:// URL, and jwt.audience must name at least one audience: without one every token of the issuer would do."
  }
}

variable "package" {
  description = "The serving package as build_package.sh made it: path of the zip and its sha256 in hex."
  type        = object({ path = string, sha256 = string })

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.package.sha256))
    error_message = "package.sha256 must be 64 hex digits, as build_package.sh writes them."
  }
}

variable "package_bucket" {
  description = "Bucket that the package is uploaded to, under functions/, for Lambda to take it from."
  type        = string
}

variable "published_uri" {
  description = "The published data set, as CONDVEST_PUBLISHED takes it."
  type        = string

  validation {
    condition     = startswith(var.published_uri, "s3://")
    error_message = "published_uri must be s3://bucket/prefix."
  }
}

variable "runtime" {
  description = "Lambda runtime and architecture that the package was built for."
  type = object({
    name         = optional(string, "python3.13")
    architecture = optional(string, "x86_64")
  })
  default = {}

  validation {
    condition     = contains(["python3.12", "python3.13", "python3.14"], var.runtime.name)
    error_message = "runtime.name must be python3.12, python3.13 or python3.14."
  }
}

variable "memory" {
  description = "Memory of the function in MB, which is its processor too: 1,769 are one."
  type        = number
  default     = 2048

  validation {
    condition     = var.memory >= 1024 && var.memory <= 10240
    error_message = "memory must be from 1024 to 10240: an answer, and what it is made from, must fit."
  }
}

variable "throttle" {
  description = "Requests a second that the API lets through, and how many at once after a pause; what is more gets 429."
  type        = object({ rate = optional(number, 20), burst = optional(number, 40) })
  default     = {}

  validation {
    condition     = var.throttle.rate >= 1 && var.throttle.burst >= 1
    error_message = "throttle.rate and throttle.burst must be at least 1."
  }
}

variable "host_names" {
  description = "Further names that requests may be for, such as that of a domain of your own; the API's own is always one."
  type        = list(string)
  default     = []
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
