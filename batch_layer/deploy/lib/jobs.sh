# shellcheck shell=bash
# Jobs that a deployment waits for, and the proof that what was deployed works.

# Submits the job $1 to the queue $2 and waits for its end; its log's last lines are shown when it failed.
run_job() {
  local id status="" previous="" reason failures=0 left="${CONDVEST_JOB_POLLS:-180}"
  id="$(aws batch submit-job --job-name "$NAME_PREFIX-$1" --job-queue "$NAME_PREFIX-$2" \
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
      "wait and run the same command again; RUNNABLE for long: is the account's quota of vCPUs on Fargate 0? (deploy.sh $ENVIRONMENT bootstrap shows it)"
    sleep "${CONDVEST_POLL_SECONDS:-10}"
  done
  [ "$status" = FAILED ] || return 0
  reason="$(job_field "$id" statusReason)"
  job_log "$id" >&2
  die "the job $NAME_PREFIX-$1 failed: $reason (its last lines: above); functions and other jobs are as they were" \
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
  would "check that the database is there, the functions work and the queues are valid" && return
  needs_database && check_database
  needs_functions && check_functions
  needs_serving && check_serving
  needs_image && check_queues
  return 0
}

needs_database() { is_one_of "$TARGET" "all processing database live"; }

check_database() {
  local found
  found="$(database_status)"
  case "$found" in
    unknown) cannot_tell "how the database is" ;;
    missing | failed | *incompatible* | storage-full) die "the database is $found" "see docs/aws/runbook.md" ;;
    *) say "database $NAME_PREFIX-db: $found" ;;
  esac
}

check_functions() {
  local name found
  for name in daily-ohlcv-fetcher daily-meta-fetcher archive-loader; do
    [ "$name $TARGET" != "archive-loader fetching" ] || continue # the component only archives
    found="$(aws lambda get-function-configuration --function-name "$NAME_PREFIX-$name" \
      --query '[State, LastUpdateStatus]' --output text 2>/dev/null)" || found="missing"
    case "$found" in
      *Failed* | missing) die "the function $NAME_PREFIX-$name is $found" "see docs/aws/runbook.md" ;;
      # Lambda puts a function of a network to sleep that nobody has called for weeks, and wakes it at the next call.
      *Inactive*) say "function $NAME_PREFIX-$name: asleep" ;;
      *) say "function $NAME_PREFIX-$name: ok" ;;
    esac
  done
  [ "$TARGET" = fetching ] || check_loader
}

# A call that loads nothing: it proves code, layer, the login by IAM, TLS, the schema and the way to S3. The first call of
# a function that sleeps fails and wakes it.
check_loader() {
  local left="${CONDVEST_LOADER_CALLS:-18}" kind
  printf '{"check": "everything"}' >"$WORK/check.json"
  until kind="$(aws lambda invoke --function-name "$NAME_PREFIX-archive-loader" --payload "fileb://$WORK/check.json" \
    --query FunctionError --output text "$WORK/checked.json" 2>"$(scratch)")"; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "the loader cannot be called: $(cat "$(scratch)")" "see docs/aws/runbook.md"
    sleep "${CONDVEST_POLL_SECONDS:-10}"
  done
  case "$kind" in
    None | '') say "loader: $(cat "$WORK/checked.json")" ;;
    *) die "the loader fails: $(cat "$WORK/checked.json")" "see docs/aws/runbook.md; deploy.sh $ENVIRONMENT rollback puts the release before back" ;;
  esac
}

# A request as the API hands it on: it proves code, package and settings. Whether something is published, it does not ask.
check_serving() {
  local kind
  printf '%s' '{"version":"2.0","rawPath":"/health/live","rawQueryString":"","headers":{"host":"HOST"},"isBase64Encoded":false,
    "requestContext":{"http":{"method":"GET","path":"/health/live","sourceIp":"127.0.0.1"}}}' \
    | sed "s/HOST/$(serving_host)/" >"$WORK/ask.json"
  kind="$(aws lambda invoke --function-name "$NAME_PREFIX-serve" --payload "fileb://$WORK/ask.json" \
    --query FunctionError --output text "$WORK/asked.json" 2>"$(scratch)")" \
    || die "the function $NAME_PREFIX-serve cannot be called: $(cat "$(scratch)")" "see docs/aws/runbook.md"
  case "$kind $(cat "$WORK/asked.json")" in
    None*'"statusCode": 200'* | ' '*'"statusCode": 200'*) say "function $NAME_PREFIX-serve: answers" ;;
    *) die "the function $NAME_PREFIX-serve fails: $(cat "$WORK/asked.json")" "see docs/aws/runbook.md" ;;
  esac
}

# The host of the API, as a request names it.
serving_host() {
  local output=endpoint address
  [ "$TARGET" != all ] || output=serving_endpoint
  address="$(terraform_here output -raw "$output" 2>/dev/null)" || address=""
  printf '%s\n' "${address#https://}"
}

check_queues() {
  local queue found
  for queue in jobs on-demand; do
    found="$(aws batch describe-job-queues --job-queues "$NAME_PREFIX-$queue" \
      --query 'jobQueues[0].[state, status]' --output text 2>/dev/null)" || found="missing"
    case "$found" in
      ENABLED[[:space:]]VALID) say "queue $NAME_PREFIX-$queue: ok" ;;
      *) die "the queue $NAME_PREFIX-$queue is $found" "see docs/aws/runbook.md" ;;
    esac
  done
}
