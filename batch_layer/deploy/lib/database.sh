# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the parts share their settings
# The database around a deployment: awake, kept in a snapshot, migrated before any code changes.

SNAPSHOTS_KEPT=3
MIGRATED=false

# A database that sleeps takes no change.
wake_database() {
  needs_database || return 0
  would "start the database $NAME_PREFIX-db if it sleeps" && return
  case "$(database_status)" in
    stopping)
      step "Waiting for the database to fall asleep, to wake it"
      wait_for_status stopped
      wake
      ;;
    stopped) wake ;;
    starting) wait_for_status available ;;
  esac
}

wake() {
  step "Starting the database"
  aws rds start-db-instance --db-instance-identifier "$NAME_PREFIX-db" >/dev/null 2>"$(scratch)" \
    || die "the database $NAME_PREFIX-db does not start: $(cat "$(scratch)")" "see docs/aws/runbook.md"
  wait_for_status available
}

# "missing" where AWS says that there is none; "unknown" where it does not say.
database_status() {
  aws rds describe-db-instances --db-instance-identifier "$NAME_PREFIX-db" \
    --query 'DBInstances[0].DBInstanceStatus' --output text 2>"$(scratch)" && return
  if grep -q DBInstanceNotFound "$(scratch)"; then printf 'missing\n'; else printf 'unknown\n'; fi
}

wait_for_status() {
  local left="${CONDVEST_JOB_POLLS:-180}"
  while [ "$(database_status)" != "$1" ]; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || die "the database $NAME_PREFIX-db is still $(database_status), not $1" "wait and run the same command again"
    sleep "${CONDVEST_POLL_SECONDS:-10}"
  done
}

# Network, database, queues and the job that migrates come first; functions, rules and the other jobs stay as they are until the
# schema is there. The code that runs until then goes on with a schema that has only been added to (database/migrate.py).
migrate_database() {
  needs_image || return 0
  keep_snapshot
  step "Preparing the migration"
  if ! would "apply what the migration needs and nothing else"; then
    apply_only module.shared module.database module.processing.aws_batch_job_queue.this \
      'module.processing.aws_batch_job_definition.this["migrate"]'
  fi
  step "Migrating the database"
  would "run the job $NAME_PREFIX-migrate and wait for it" && return
  run_job migrate on-demand
  MIGRATED=true
}

# Where data count: the way back from a migration that went wrong. Only before an image that has not migrated yet.
keep_snapshot() {
  grep -q '^final_snapshot[[:space:]]*=[[:space:]]*true' "$VARIABLES" && [ "$TARGET" = all ] || return 0
  would "take a snapshot of $NAME_PREFIX-db before the migration" && return
  [ "$(database_status)" != missing ] || return 0
  [ "$CONTAINER_IMAGE" != "$(terraform_here output -raw container_image 2>/dev/null)" ] || return 0
  step "Keeping a snapshot of the database"
  local name
  name="$NAME_PREFIX-before-$(date -u +%Y%m%d%H%M%S)"
  aws rds create-db-snapshot --db-instance-identifier "$NAME_PREFIX-db" --db-snapshot-identifier "$name" \
    --tags Key=purpose,Value=before-migration >/dev/null 2>"$(scratch)" \
    || die "the snapshot could not be taken: $(cat "$(scratch)")" "nothing was changed; run the same command again"
  aws rds wait db-snapshot-available --db-snapshot-identifier "$name" 2>"$(scratch)" \
    || die "the snapshot $name is not ready: $(cat "$(scratch)")" "nothing was changed; wait and run the same command again"
  say "$name"
  forget_snapshots
}

# Of those that deployments took, the newest stay.
forget_snapshots() {
  local name place=0
  for name in $(aws rds describe-db-snapshots --db-instance-identifier "$NAME_PREFIX-db" --snapshot-type manual \
    --query "reverse(sort_by(DBSnapshots[?starts_with(DBSnapshotIdentifier, '$NAME_PREFIX-before-')], &DBSnapshotIdentifier))[].DBSnapshotIdentifier" \
    --output text 2>/dev/null); do
    place=$((place + 1))
    if [ "$place" -gt "$SNAPSHOTS_KEPT" ]; then
      aws rds delete-db-snapshot --db-snapshot-identifier "$name" >/dev/null 2>&1 || warn "the old snapshot $name stays"
    fi
  done
}
