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
