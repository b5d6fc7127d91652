output "functions" {
  description = "Name and ARN of each function: daily_ohlcv_fetcher, daily_meta_fetcher, archive_loader."
  value       = { for key, function in aws_lambda_function.this : key => { name = function.function_name, arn = function.arn } }
}

output "loader_arn" {
  description = "ARN of the loader, whose result starts the jobs; null where there is no loader."
  value       = var.loader == null ? null : local.function_arns["archive_loader"]
}

output "dead_letter_queues" {
  description = "URL of each function's dead-letter queue."
  value       = { for key, queue in aws_sqs_queue.dead_letters : key => queue.url }
}

output "log_groups" {
  description = "Name of each function's log group."
  value       = { for key, group in aws_cloudwatch_log_group.this : key => group.name }
}

output "schedules" {
  description = "Expression of each schedule, in the exchange's time zone."
  value       = { for key, schedule in aws_scheduler_schedule.this : key => schedule.schedule_expression }
}

output "schedule_group" {
  description = "Name of the group of the schedules."
  value       = aws_scheduler_schedule_group.this.name
}

output "layer_arns" {
  description = "Layers in use, given or published here."
  value       = local.layer_arns
}

output "metrics_namespace" {
  description = "CloudWatch namespace of the functions' own metrics."
  value       = local.metrics_namespace
}
