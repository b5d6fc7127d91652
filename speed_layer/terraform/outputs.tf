output "name_prefix" {
  description = "Prefix of every name of this component test."
  value       = local.name_prefix
}

output "published_uri" {
  description = "Beside whose manifest the live rows are published."
  value       = module.shared.published_uri
}

output "journal_uri" {
  description = "Where the journal of a session is copied."
  value       = module.shared.journal_uri
}

output "vendor_secret_name" {
  description = "Secret that waits for the vendor's key: put it in by aws secretsmanager put-secret-value."
  value       = module.shared.vendor_secret_name
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

output "live_job" {
  description = "Job definition of the collector."
  value       = module.live.job_definition
}

output "live_alert_topic_arn" {
  description = "Topic of what alert rules say: condvest alerts add ... --webhook sns:ARN."
  value       = module.live.alert_topic_arn
}
