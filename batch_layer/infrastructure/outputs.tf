output "name_prefix" {
  description = "Prefix of every name of this environment."
  value       = local.name_prefix
}

output "archive_uri" {
  description = "Where the vendor's answers lie."
  value       = module.shared.archive_uri
}

output "archive_copy" {
  description = "Bucket of the archive's copy in another region; null where there is none (backup_region)."
  value       = module.shared.archive_copy
}

output "published_uri" {
  description = "Where the published bars lie, as CONDVEST_PUBLISHED takes it."
  value       = module.shared.published_uri
}

output "vendor_secret_name" {
  description = "Secret that waits for the vendor's key: put it in by aws secretsmanager put-secret-value."
  value       = module.shared.vendor_secret_name
}

output "alert_topic_arn" {
  description = "Topic of every alarm."
  value       = module.shared.alert_topic_arn
}

output "database_identifier" {
  description = "The database instance."
  value       = module.database.identifier
}

output "database_host" {
  description = "Host of the database; it answers inside the network only."
  value       = module.database.host
}

output "database_protected" {
  description = "Whether the database refuses deletion."
  value       = module.database.protected
}

output "operations" {
  description = "What the runbook's commands for a restore and for a psql prompt need."
  value = {
    SG_OF_THE_DATABASE   = module.shared.security_group_ids["database"]
    SG_OF_THE_JOBS       = module.shared.security_group_ids["jobs"]
    PUBLIC_SUBNET        = module.shared.public_subnet_ids[0]
    PARAMETER_GROUP      = module.database.parameter_group
    ADMINISTRATOR_SECRET = module.database.admin_secret_arn
    DATABASE_HOST        = module.database.host
  }
}

output "functions" {
  description = "Name and ARN of each function."
  value       = module.fetching.functions
}

output "layer_arns" {
  description = "Layers in use."
  value       = module.fetching.layer_arns
}

output "dead_letter_queues" {
  description = "URL of each function's dead-letter queue."
  value       = module.fetching.dead_letter_queues
}

output "schedules" {
  description = "When the fetchers run, in New York time."
  value       = module.fetching.schedules
}

output "repository_url" {
  description = "Where the jobs' image is pushed."
  value       = module.processing.repository_url
}

output "container_image" {
  description = "The jobs' image in use."
  value       = module.processing.container_image
}

output "job_queue" {
  description = "Queue of the jobs; the migration's is called on-demand."
  value       = module.processing.job_queue
}

output "job_definitions" {
  description = "Job definitions: migrate, resample, backfill, publish."
  value       = module.processing.job_definitions
}

output "shards" {
  description = "Size of the array of a resampling."
  value       = module.processing.shards
}

output "log_groups" {
  description = "Log groups of functions and jobs."
  value       = merge(module.fetching.log_groups, { jobs = module.processing.log_group, failed_jobs = module.processing.failed_log_group })
}

output "dashboard" {
  description = "Where the dashboard is."
  value       = "https://${var.aws_region}.console.aws.amazon.com/cloudwatch/home?region=${var.aws_region}#dashboards/dashboard/${local.name_prefix}"
}

output "serving_endpoint" {
  description = "Address of the API that serves the published data set; null where nothing is served."
  value       = one(module.serving[*].endpoint)
}

output "serving_function" {
  description = "Name of the function behind it; null where nothing is served."
  value       = one([for serving in module.serving : serving.function.name])
}

output "live_job" {
  description = "Job definition of the collector of the session under way; null where none is collected."
  value       = one(module.live[*].job_definition)
}

output "live_alert_topic_arn" {
  description = "Topic of what alert rules say: condvest alerts add ... --webhook sns:ARN; null where no session is collected."
  value       = one(module.live[*].alert_topic_arn)
}
