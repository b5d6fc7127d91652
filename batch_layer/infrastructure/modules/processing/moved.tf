# Where what is deployed already has gone: without these it would be destroyed and made anew.

moved {
  from = aws_batch_job_queue.this
  to   = aws_batch_job_queue.this["jobs"]
}

moved {
  from = aws_cloudwatch_metric_alarm.failed
  to   = aws_cloudwatch_metric_alarm.this["job-failed"]
}

moved {
  from = aws_cloudwatch_metric_alarm.blocked
  to   = aws_cloudwatch_metric_alarm.this["queue-blocked"]
}

moved {
  from = aws_cloudwatch_metric_alarm.undelivered[0]
  to   = aws_cloudwatch_metric_alarm.this["job-dead-letters"]
}
