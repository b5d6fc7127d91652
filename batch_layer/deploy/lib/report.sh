# shellcheck shell=bash
# What is shown: outputs, what to do next, how things are, logs.

show_outputs() {
  would "show the outputs" && return
  terraform_here output
}

show_next_steps() {
  would "say what to do next" && return
  if { needs_functions || needs_live; } && ! vendor_key_is_there; then
    say "
Next: put the vendor's key in its place (once; neither Terraform nor the shell's history sees it), then fetch:
  read -rs KEY && printf %s \"\$KEY\" | aws secretsmanager put-secret-value --region $REGION \\
    --secret-id $NAME_PREFIX/massive-api-key --secret-string file:///dev/stdin"
  fi
  if needs_functions; then
    say "
Fetch now instead of waiting for the schedule:
  aws lambda invoke --region $REGION --function-name $NAME_PREFIX-daily-ohlcv-fetcher answer.json"
  fi
  if needs_serving; then
    say "
Ask (whom IAM lets call the API; with serving_access = \"jwt\": -H \"Authorization: Bearer TOKEN\"):
  curl --aws-sigv4 aws:amz:$REGION:execute-api --user KEY_ID:SECRET https://$(serving_host)/v1/version"
  fi
  if needs_live; then
    say "
A rule of alerts is added by a job, and says it to $NAME_PREFIX-live-alerts:
  aws batch submit-job --region $REGION --job-name alerts --job-queue $NAME_PREFIX-jobs --job-definition $NAME_PREFIX-live \\
    --container-overrides '{\"command\": [\"condvest\", \"alerts\", \"add\", \"breakout\", \"close(13) > highest(high(13), 4)\", \"--webhook\", \"sns:ARN\"]}'"
  fi
  say "
How it is:   deploy.sh $ENVIRONMENT status $TARGET
Its logs:    deploy.sh $ENVIRONMENT logs $TARGET
To end it:   deploy.sh $ENVIRONMENT destroy $TARGET"
}

show_what_follows() {
  say "
Next: commit the files that were written above, then deploy.sh $ENVIRONMENT all"
}

vendor_key_is_there() {
  aws secretsmanager describe-secret --secret-id "$NAME_PREFIX/massive-api-key" \
    --query 'keys(VersionIdsToStages)' --output text >/dev/null 2>&1
}

show_status() {
  step "Status of $NAME_PREFIX"
  would "ask for database, functions, jobs and alarms" && return
  line database aws rds describe-db-instances --db-instance-identifier "$NAME_PREFIX-db" \
    --query 'DBInstances[0].[DBInstanceStatus, EngineVersion, DBInstanceClass]' --output text
  line functions aws lambda list-functions --output text \
    --query "Functions[?starts_with(FunctionName, '$NAME_PREFIX-')].[FunctionName, LastModified]"
  line queue aws batch describe-job-queues --job-queues "$NAME_PREFIX-jobs" \
    --query 'jobQueues[0].[jobQueueName, state, status]' --output text
  for state in PENDING RUNNABLE RUNNING FAILED; do # an array is PENDING while its children run
    line "jobs $state" aws batch list-jobs --job-queue "$NAME_PREFIX-jobs" --job-status "$state" \
      --query 'jobSummaryList[:5].[jobName, jobId, statusReason]' --output text
  done
  line "alarms on" aws cloudwatch describe-alarms --alarm-name-prefix "$NAME_PREFIX-" --state-value ALARM \
    --query 'MetricAlarms[].[AlarmName, StateReason]' --output text
}

# One heading and what a command answers: "none" when nothing, "not there" when it fails.
line() {
  local heading="$1" answer
  shift
  answer="$("$@" 2>/dev/null)" || answer="not there"
  case "$answer" in '' | None) answer=none ;; esac
  printf '%-13s %s\n' "$heading:" "$answer"
}

show_logs() {
  step "Log lines of the last $SINCE_MINUTES minutes"
  would "show the logs of $NAME_PREFIX" && return
  local since group
  since="$((($(date +%s) - SINCE_MINUTES * 60) * 1000))"
  for group in "/aws/lambda/$NAME_PREFIX-daily-ohlcv-fetcher" "/aws/lambda/$NAME_PREFIX-daily-meta-fetcher" \
    "/aws/lambda/$NAME_PREFIX-archive-loader" "/aws/batch/$NAME_PREFIX" "/aws/events/$NAME_PREFIX-job-failed" \
    "/aws/lambda/$NAME_PREFIX-serve" "/aws/apigateway/$NAME_PREFIX-serve"; do
    printf -- '--- %s\n' "$group"
    aws logs filter-log-events --log-group-name "$group" --start-time "$since" \
      --query 'events[].[message]' --output text 2>/dev/null || printf 'not there\n'
  done
}
