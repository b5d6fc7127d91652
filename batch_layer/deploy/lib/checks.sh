# shellcheck shell=bash
# What must be there before anything is changed.

MINIMUM_TERRAFORM=1.5.0
MINIMUM_PYTHON=3.11.0

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
  if is_one_of "$COMMAND" "deploy build plan" && is_one_of "$TARGET" "all processing"; then
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
  ACCOUNT="$(aws sts get-caller-identity --query Account --output text 2>"$(scratch)")" \
    || die "AWS does not accept the credentials: $(cat "$(scratch)")" "run: aws configure, or aws sso login"
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

# Nothing of a protected database may be taken down; AWS says what is so, whatever the files say.
check_unprotected() {
  would "refuse if the database $NAME_PREFIX-db refuses deletion" && return
  local protection
  protection="$(aws rds describe-db-instances --db-instance-identifier "$NAME_PREFIX-db" \
    --query 'DBInstances[0].DeletionProtection' --output text 2>"$(scratch)")" || {
    grep -q DBInstanceNotFound "$(scratch)" && return
    die "cannot tell whether $NAME_PREFIX-db is protected: $(cat "$(scratch)")" "run it again when AWS answers"
  }
  case "$protection" in
    True | true)
      die "the database $NAME_PREFIX-db is protected from deletion: nothing was changed" \
        "to lift it: protected = false in environments/$ENVIRONMENT.tfvars, deploy.sh $ENVIRONMENT all, and again"
      ;;
  esac
}

# A file for the words of a command that failed.
scratch() {
  mkdir -p "$WORK"
  printf '%s\n' "$WORK/last-error.txt"
}
