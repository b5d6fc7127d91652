output "name_prefix" {
  description = "Prefix of every name of this component test."
  value       = local.name_prefix
}

output "archive_uri" {
  description = "Where the vendor's answers lie."
  value       = module.shared.archive_uri
}

output "vendor_secret_name" {
  description = "Secret that waits for the vendor's key."
  value       = module.shared.vendor_secret_name
}

output "functions" {
  description = "Name and ARN of each function."
  value       = module.fetching.functions
}

output "dead_letter_queues" {
  description = "URL of each function's dead-letter queue."
  value       = module.fetching.dead_letter_queues
}

output "log_groups" {
  description = "Log groups of the functions."
  value       = module.fetching.log_groups
}
