output "account_id" {
  description = "Number of the AWS account."
  value       = local.account_id
}

output "region" {
  description = "Name of the AWS region."
  value       = local.region
}

output "partition" {
  description = "AWS partition, part of every ARN."
  value       = local.partition
}

output "vpc_id" {
  description = "Id of the network, created or given."
  value       = local.vpc_id
}

output "private_subnet_ids" {
  description = "Subnets of the database and the loader."
  value       = local.private_subnet_ids
}

output "public_subnet_ids" {
  description = "Subnets of the jobs."
  value       = local.public_subnet_ids
}

output "security_group_ids" {
  description = "Security groups by user: database, loader, jobs."
  value       = { for name, group in aws_security_group.this : name => group.id }
}

output "roles" {
  description = "Name and ARN of each role: fetcher, loader, migrate, resample, backfill, publish, execution, scheduler, events, monitor; serve where something is served, live where sessions are collected."
  value       = { for name, role in aws_iam_role.this : name => { name = role.name, arn = role.arn } }
}

output "archive_bucket" {
  description = "Name of the bucket of the vendor's answers."
  value       = aws_s3_bucket.this["archive"].bucket
}

output "archive_copy" {
  description = "Name of the bucket of the archive's copy in another region; null where there is none."
  value       = one([for bucket in aws_s3_bucket.copy : bucket.bucket])
}

output "archive_uri" {
  description = "Where the archive lies, as CONDVEST_ARCHIVE takes it."
  value       = "s3://${aws_s3_bucket.this["archive"].bucket}/${local.archive_prefix}"
}

output "journal_uri" {
  description = "Where the journals of sessions are copied, as CONDVEST_JOURNAL takes it."
  value       = "s3://${aws_s3_bucket.this["archive"].bucket}/${local.journal_prefix}"
}

output "archive_prefix" {
  description = "Prefix of the archive's keys, without the slash."
  value       = local.archive_prefix
}

output "published_bucket" {
  description = "Name of the bucket of the published bars."
  value       = aws_s3_bucket.this["published"].bucket
}

output "published_uri" {
  description = "Where the published bars lie, as CONDVEST_PUBLISHED takes it."
  value       = "s3://${aws_s3_bucket.this["published"].bucket}/${local.published_prefix}"
}

output "alert_topic_arn" {
  description = "Topic of every alarm."
  value       = aws_sns_topic.alerts.arn
}

output "vendor_secret_arn" {
  description = "Secret that holds the vendor's key."
  value       = aws_secretsmanager_secret.vendor.arn
}

output "vendor_secret_name" {
  description = "Name of that secret, for the command that puts the key in."
  value       = aws_secretsmanager_secret.vendor.name
}
