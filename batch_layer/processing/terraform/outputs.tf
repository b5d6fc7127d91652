output "name_prefix" {
  description = "Prefix of every name of this component test."
  value       = local.name_prefix
}

output "database_identifier" {
  description = "The database instance."
  value       = module.database.identifier
}

output "database_host" {
  description = "Host of the database; it answers inside the network only."
  value       = module.database.host
}

output "published_uri" {
  description = "Where the job publish writes the bars."
  value       = module.shared.published_uri
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
  description = "Queue of the jobs."
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
  description = "Log groups of the jobs."
  value       = { jobs = module.processing.log_group, failed_jobs = module.processing.failed_log_group }
}
