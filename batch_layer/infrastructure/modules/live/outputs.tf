output "job_definition" {
  description = "Name and revision of the job definition; null before the first image."
  value       = one([for job in aws_batch_job_definition.this : "${job.name}:${job.revision}"])
}

output "alert_topic_arn" {
  description = "Topic of what alert rules say: condvest alerts add ... --webhook sns:ARN."
  value       = aws_sns_topic.alerts.arn
}

output "schedules" {
  description = "When the job is submitted, in New York time."
  value       = { for name, schedule in aws_scheduler_schedule.this : name => schedule.schedule_expression }
}
