output "repository_url" {
  description = "Where the image is pushed."
  value       = aws_ecr_repository.this.repository_url
}

output "job_queue" {
  description = "Name of the queue of the jobs, on Spot first."
  value       = aws_batch_job_queue.this["jobs"].name
}

output "on_demand_queue" {
  description = "Name of the queue of the migration, which waits for no Spot capacity."
  value       = aws_batch_job_queue.this["on-demand"].name
}

output "job_definitions" {
  description = "Name and revision of each job definition: migrate, resample, backfill, publish; empty before the first image."
  value       = { for key, job in aws_batch_job_definition.this : key => "${job.name}:${job.revision}" }
}

output "shards" {
  description = "Size of the array of a resampling."
  value       = var.shards
}

output "container_image" {
  description = "The image in use, by digest."
  value       = var.container_image
}

output "log_group" {
  description = "Log group of the jobs."
  value       = aws_cloudwatch_log_group.this.name
}

output "failed_log_group" {
  description = "Log group with one line a failed job."
  value       = aws_cloudwatch_log_group.failed.name
}

output "how" {
  description = "How a job of another layer is run here: image, command prefix, environment, retries, queue, execution role, log group, dead letters."
  value = {
    image              = var.container_image
    architecture       = var.architecture
    command            = local.command
    environment        = local.environment
    retries            = local.retries
    queue_arn          = aws_batch_job_queue.this["jobs"].arn
    execution_role_arn = var.roles["execution"].arn
    log_group          = aws_cloudwatch_log_group.this.name
    dead_letter_arn    = one([for queue in aws_sqs_queue.undelivered : queue.arn])
  }

  # Without these a job could start before it may pull the image and write logs.
  depends_on = [aws_iam_role_policy.execution]
}
