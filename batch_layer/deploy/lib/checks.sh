# shellcheck shell=bash
# What must be there before anything is changed.

MINIMUM_TERRAFORM=1.5.0
MINIMUM_PYTHON=3.11.0

# All that is looked at before a deployment or a rollback.
check_before_changes() {
  check_tools
  check_account
  check_credentials_last
  check_state_bucket
  check_pinned
  check_quiet
  choose_concurrency
}

check_tools() {
  step "Checking the tools"
  [ "${#NAME_PREFIX}" -le 28 ] \
    || die "the name prefix $NAME_PREFIX is longer than 28 characters, and AWS's names would be too long" \
      "shorten project in infrastructure/terraform.tfvars"
  need python3 "install Python $MINIMUM_PYTHON or later"
  at_least "$(python3 -c 'import platform; print(platform.python_version())')" "$MINIMUM_PYTHON" \
    || die "python3 is older than $MINIMUM_PYTHON" "install a newer one and put it first on PATH"
  if [ "$COMMAND" != build ]; then
    need terraform "install it: https://developer.hashicorp.com/terraform/install"
    TERRAFORM_VERSION="$(terraform version | sed -n 's/^Terraform v\([0-9.]*\).*/\1/p' | head -n 1)"
    at_least "$TERRAFORM_VERSION" "$MINIMUM_TERRAFORM" \
      || die "terraform is ${TERRAFORM_VERSION:-of an unknown version}, not $MINIMUM_TERRAFORM or later" \
        "install a newer one: https://developer.hashicorp.com/terraform/install"
  fi
  if ! is_one_of "$COMMAND" "build validate"; then
    need aws "install the AWS CLI: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html"
  fi
  if is_one_of "$COMMAND" "deploy build plan" && is_one_of "$TARGET" "all processing live"; then
    need docker "install Docker: https://docs.docker.com/get-docker/"
    [ "$DRY_RUN" = true ] || docker info >/dev/null 2>&1 \
      || die "docker does not answer" "start Docker, or join the group that may use it"
  fi
}

need() { command -v "$1" >/dev/null 2>&1 || die "$1 is not installed" "$2"; }

# Whether version $1 is $2 or later.
at_least() {
  awk -v have="$1" -v want="$2" 'BEGIN {
    split(have, h, "."); split(want, w, ".")
    for (i = 1; i <= 3; i++) { if (h[i] + 0 > w[i] + 0) exit 0; if (h[i] + 0 < w[i] + 0) exit 1 }
    exit have == ""
  }'
}

# The credentials must be of the account that the environment names.
check_account() {
  step "Checking the account"
  would "check that the credentials are of account ${EXPECTED_ACCOUNT:-(any)}" && return
  ACCOUNT="$(aws sts get-caller-identity --query Account --output text 2>"$(scratch)")" || explain_refusal
  if [ -z "$EXPECTED_ACCOUNT" ]; then
    [ "$ENVIRONMENT" != prod ] \
      || die "no account is named for prod, and these credentials are of $ACCOUNT" \
        "set aws_account_id in infrastructure/environments/prod.tfvars, or CONDVEST_AWS_ACCOUNT_ID"
    warn "no account is named for $ENVIRONMENT; going on with $ACCOUNT (environments/$ENVIRONMENT.tfvars)"
  elif [ "$ACCOUNT" != "$EXPECTED_ACCOUNT" ]; then
    die "these credentials are of account $ACCOUNT, and $ENVIRONMENT belongs to $EXPECTED_ACCOUNT" \
      "choose the right profile: export AWS_PROFILE=..."
  fi
  say "account $ACCOUNT, region $REGION"
  if [ "$COMMAND $TARGET" = "deploy all" ] && ! sed -n '/^alert_emails/,/]/p' "$VARIABLES" | grep -q @; then
    warn "nobody is told of alarms and of the budget: set alert_emails in environments/$ENVIRONMENT.tfvars"
  fi
}

# A region that is not switched on answers as for credentials that do not exist, and so it does to version 1 of the
# command line whose STS tokens are of the global endpoint.
explain_refusal() {
  if grep -q -e InvalidClientTokenId -e "security token included in the request is invalid" "$(scratch)"; then
    die "AWS in $REGION does not accept the credentials: $(cat "$(scratch)")" \
      "is $REGION switched on (Account > AWS Regions)? With AWS CLI 1: export AWS_STS_REGIONAL_ENDPOINTS=regional. Else: aws configure"
  fi
  die "AWS does not accept the credentials: $(cat "$(scratch)")" "run: aws configure, or aws sso login"
}

# A session that ends in the middle of an apply leaves what was done outside the state.
check_credentials_last() {
  local least=45 minutes
  [ "$COMMAND" != destroy ] || least=75 # Lambda may keep its network interfaces for three quarters of an hour
  would "check that the credentials last for $least minutes" && return
  minutes="$(minutes_left)"
  if [ -n "$minutes" ] && [ "$minutes" -lt "$least" ]; then
    warn "the credentials expire in $minutes minutes, and a $COMMAND may take $least: take new ones first (aws sso login)"
  fi
}

# How many minutes the credentials are good for; nothing where they do not expire or nobody says so.
minutes_left() {
  { aws configure export-credentials --format process 2>/dev/null || printf '{}'; } | python3 -c 'import datetime, json, os, sys
try:
    until = json.load(sys.stdin).get("Expiration")
except ValueError:
    until = None
until = until or os.environ.get("AWS_CREDENTIAL_EXPIRATION")
if until:
    left = datetime.datetime.fromisoformat(until.replace("Z", "+00:00")) - datetime.datetime.now(datetime.timezone.utc)
    print(max(int(left.total_seconds() // 60), 0))'
}

# A deployment in the middle of a night would change the code under its loads and jobs.
check_quiet() {
  [ "$TARGET" = all ] || return 0
  would "refuse while jobs run or a night is under way, unless --now" && return
  [ "$NOW" = false ] || return 0
  if schedules_run && is_night; then
    die "it is $(TZ=America/New_York date +%H:%M) in New York: the nightly schedule is under way until 22:00" \
      "wait, or run the same command with --now"
  fi
  local state jobs queues
  queues="$(aws batch describe-job-queues --job-queues "$NAME_PREFIX-jobs" \
    --query 'length(jobQueues)' --output text 2>"$(scratch)")" || cannot_tell "whether jobs run"
  [ "$queues" != 0 ] || return 0 # nothing is deployed yet
  # An array is PENDING until the last of its children has ended (https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html).
  for state in RUNNING STARTING RUNNABLE PENDING SUBMITTED; do
    jobs="$(aws batch list-jobs --job-queue "$NAME_PREFIX-jobs" --job-status "$state" \
      --query 'length(jobSummaryList)' --output text 2>"$(scratch)")" || cannot_tell "whether jobs run"
    case "$jobs" in
      0 | None | '') ;;
      *) die "$jobs jobs of $NAME_PREFIX are $state" "wait until they have ended, or run the same command with --now" ;;
    esac
  done
}

schedules_run() { ! grep -q '^[[:space:]]*schedules_enabled[[:space:]]*=[[:space:]]*false' "$VARIABLES"; }

# Whether it is between 18:45 and 22:00 in New York on a weekday: the metadata at 19:00, the bars at 20:30, their jobs.
is_night() {
  local weekday hour
  case "$(TZ=America/New_York date +%Z)" in
    E?T) ;;
    *) warn "this machine does not know New York's time: see that no night is under way" && return 1 ;;
  esac
  weekday="$(TZ=America/New_York date +%u)"
  hour="$(TZ=America/New_York date +%H%M)"
  [ "$weekday" -le 5 ] && [ "$hour" -ge 1845 ] && [ "$hour" -lt 2200 ]
}

# Nothing of a protected database may be taken down; AWS says what is so, whatever the files say.
check_unprotected() {
  would "refuse if the database $NAME_PREFIX-db refuses deletion" && return
  local protection
  protection="$(aws rds describe-db-instances --db-instance-identifier "$NAME_PREFIX-db" \
    --query 'DBInstances[0].DeletionProtection' --output text 2>"$(scratch)")" || {
    grep -q DBInstanceNotFound "$(scratch)" && return
    cannot_tell "whether $NAME_PREFIX-db is protected"
  }
  case "$protection" in
    True | true)
      die "the database $NAME_PREFIX-db is protected from deletion: nothing was changed" \
        "to lift it: protected = false in environments/$ENVIRONMENT.tfvars, deploy.sh $ENVIRONMENT all, and again"
      ;;
  esac
}

# What AWS does not say is not taken for "no".
cannot_tell() { die "cannot tell $1: $(cat "$(scratch)")" "run it again when AWS answers"; }

# A file for the words of a command that failed.
scratch() {
  mkdir -p "$WORK"
  printf '%s\n' "$WORK/last-error.txt"
}
