output "identifier" {
  description = "Identifier of the instance, as the aws commands take it."
  value       = aws_db_instance.this.identifier
}

output "arn" {
  description = "ARN of the instance."
  value       = aws_db_instance.this.arn
}

output "host" {
  description = "Host name, which resolves to a private address."
  value       = aws_db_instance.this.address
}

output "port" {
  description = "Port of PostgreSQL."
  value       = aws_db_instance.this.port
}

output "name" {
  description = "Name of the database."
  value       = aws_db_instance.this.db_name
}

output "admin_user" {
  description = "The administrator, who migrates; everybody else logs in by IAM."
  value       = aws_db_instance.this.username
}

output "admin_secret_arn" {
  description = "Secret with the administrator's password, made and rotated by RDS."
  value       = one(aws_db_instance.this.master_user_secret[*].secret_arn)
}

output "parameter_group" {
  description = "Name of the parameter group."
  value       = aws_db_parameter_group.this.name
}

output "urls" {
  description = "CONDVEST_DATABASE_URL by database user, without password: a token of IAM takes its place."
  value = {
    for user in distinct(concat([for client in values(var.clients) : client.user], [aws_db_instance.this.username])) :
    user => "postgresql://${user}@${aws_db_instance.this.address}:${aws_db_instance.this.port}/${aws_db_instance.this.db_name}?sslmode=verify-full"
  }
}

output "protected" {
  description = "Whether deletion protection is on."
  value       = aws_db_instance.this.deletion_protection
}
