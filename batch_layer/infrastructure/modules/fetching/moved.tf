# Where what is deployed already has gone: without these it would be destroyed and made anew.

moved {
  from = aws_cloudwatch_metric_alarm.errors["archive_loader"]
  to   = aws_cloudwatch_metric_alarm.this["archive-loader-errors"]
}

moved {
  from = aws_cloudwatch_metric_alarm.throttles["archive_loader"]
  to   = aws_cloudwatch_metric_alarm.this["archive-loader-throttles"]
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters["archive_loader"]
  to   = aws_cloudwatch_metric_alarm.this["archive-loader-dead-letters"]
}

moved {
  from = aws_cloudwatch_metric_alarm.errors["daily_meta_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-meta-fetcher-errors"]
}

moved {
  from = aws_cloudwatch_metric_alarm.throttles["daily_meta_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-meta-fetcher-throttles"]
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters["daily_meta_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-meta-fetcher-dead-letters"]
}

moved {
  from = aws_cloudwatch_metric_alarm.errors["daily_ohlcv_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-ohlcv-fetcher-errors"]
}

moved {
  from = aws_cloudwatch_metric_alarm.throttles["daily_ohlcv_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-ohlcv-fetcher-throttles"]
}

moved {
  from = aws_cloudwatch_metric_alarm.dead_letters["daily_ohlcv_fetcher"]
  to   = aws_cloudwatch_metric_alarm.this["daily-ohlcv-fetcher-dead-letters"]
}

moved {
  from = aws_cloudwatch_metric_alarm.staleness[0]
  to   = aws_cloudwatch_metric_alarm.this["staleness"]
}

moved {
  from = aws_cloudwatch_metric_alarm.bars_staleness[0]
  to   = aws_cloudwatch_metric_alarm.this["bars-staleness"]
}

moved {
  from = aws_cloudwatch_metric_alarm.silence[0]
  to   = aws_cloudwatch_metric_alarm.this["silence"]
}
