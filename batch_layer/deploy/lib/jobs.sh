# shellcheck shell=bash
# What happens after Terraform: the migration, and the proof that what was deployed works.

# Terraform made the job definitions, so their names are known.
migrate_database() {
  needs_image || return 0
  step "Migrating the database"
  would "run the job $NAME_PREFIX-migrate and wait for it" && return
  run_job migrate
}

# Submits a job and waits for its end; its log's last lines are shown when it failed.
run_job() {
  local id status="" previous="" reason failures=0 left="${CONDVEST_JOB_POLLS:-180}"
  id="$(aws batch submit-job --job-name "$NAME_PREFIX-$1" --job-queue "$NAME_PREFIX-jobs" \
    --job-definition "$NAME_PREFIX-$1" --query jobId --output text 2>"$(scratch)")" \
    || die "the job $NAME_PREFIX-$1 was not accepted: $(cat "$(scratch)")" "run the same command again"
  say "job $id"
  while :; do
    if status="$(job_field "$id" status)"; then
      failures=0
    else
      failures=$((failures + 1))
      [ "$failures" -lt 3 ] || die "AWS Batch does not tell how job $id is" "run the same command again"
      status="$previous"
    fi
    [ "$status" = "$previous" ] || say "  $status"
    previous="$status"
    case "$status" in SUCCEEDED | FAILED) break ;; esac
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "the job $NAME_PREFIX-$1 ($id) is still ${status:-of unknown status}" \
      "wait and run the same command again; RUNNABLE for long means no Spot capacity: capacity = \"FARGATE\" in $VARIABLES"
    sleep "${CONDVEST_POLL_SECONDS:-10}"
  done
  [ "$status" = FAILED ] || return 0
  reason="$(job_field "$id" statusReason)"
  job_log "$id" >&2
  die "the job $NAME_PREFIX-$1 failed: $reason (its last lines: above)" \
    "mend it and run the same command again: a migration is applied once, whole or not at all"
}

job_field() {
  aws batch describe-jobs --jobs "$1" --query "jobs[0].$2" --output text 2>/dev/null
}

job_log() {
  local stream
  stream="$(job_field "$1" container.logStreamName)" || return 0
  [ "$stream" != None ] || return 0
  aws logs get-log-events --log-group-name "/aws/batch/$NAME_PREFIX" --log-stream-name "$stream" \
    --limit 20 --query 'events[].[message]' --output text 2>/dev/null || true
}

# The migration has proved image, network, password, TLS and database; this looks at the rest.
smoke_check() {
  step "Checking what was deployed"
  would "check that the database is there, the functions active and the queue valid" && return
  local found name
  found="$(aws rds describe-db-instances --db-instance-identifier "$NAME_PREFIX-db" \
    --query 'DBInstances[0].DBInstanceStatus' --output text 2>/dev/null)" || found="missing"
  case "$found" in
    missing | failed | *incompatible* | storage-full) die "the database is $found" "see docs/aws/runbook.md" ;;
    *) say "database $NAME_PREFIX-db: $found" ;;
  esac
  if needs_functions; then
    for name in daily-ohlcv-fetcher daily-meta-fetcher archive-loader; do
      found="$(aws lambda get-function-configuration --function-name "$NAME_PREFIX-$name" \
        --query '[State, LastUpdateStatus]' --output text 2>/dev/null)" || found="missing"
      case "$found" in
        *Failed* | *Inactive* | missing) die "the function $NAME_PREFIX-$name is $found" "see docs/aws/runbook.md" ;;
        *) say "function $NAME_PREFIX-$name: ok" ;;
      esac
    done
  fi
  if needs_image; then
    found="$(aws batch describe-job-queues --job-queues "$NAME_PREFIX-jobs" \
      --query 'jobQueues[0].[state, status]' --output text 2>/dev/null)" || found="missing"
    case "$found" in
      *ENABLED*VALID*) say "queue $NAME_PREFIX-jobs: ok" ;;
      *) die "the queue $NAME_PREFIX-jobs is $found" "see docs/aws/runbook.md" ;;
    esac
  fi
}
