output "name_prefix" {
  description = "Prefix of every name of this component test."
  value       = local.name_prefix
}

output "endpoint" {
  description = "Address of the API; requests are signed by SigV4."
  value       = module.serving.endpoint
}

output "published_uri" {
  description = "Where it reads: publish there."
  value       = module.shared.published_uri
}

output "log_groups" {
  description = "Log groups of the function and of the API's requests."
  value       = module.serving.log_groups
}
