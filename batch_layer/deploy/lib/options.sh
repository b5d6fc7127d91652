# shellcheck shell=bash
# shellcheck disable=SC2034 # the other parts use what is set here
# The command line and the settings. Sets ENVIRONMENT, COMMAND, TARGET, DRY_RUN, ASSUME_YES and where things lie.

usage() {
  cat <<'TEXT'
usage: deploy.sh ENVIRONMENT COMMAND [TARGET] [--yes] [--dry-run] [--now] [--since MINUTES]

environments: dev, staging, prod

  all                     build, deploy, migrate and check the entire batch layer; what serves it if
                          serving_access in environments/ENVIRONMENT.tfvars is iam or jwt; and what
                          collects the session under way if live = true there
  fetching                deploy that component alone, for testing,
  processing                under its own names and its own state
  database
  serving
  live
  layer                   build and publish the Lambda layer
  build                   build all artefacts, deploy nothing
  init [TARGET]           initialise Terraform
  plan [TARGET]           build, and show what a deployment would change
  rollback                put the release before the present one back (again: the present one)
  destroy [TARGET]        take everything down
  validate                check the Terraform without AWS
  status [TARGET]         how the database, functions, jobs and alarms are
  outputs [TARGET]        names and addresses of what was deployed
  logs [TARGET]           the newest log lines of functions and jobs
  bootstrap               once per account: the bucket of the Terraform states, the roles that AWS's services
                          need, the files that hold provider and base image to what was checked

TARGET is all (the default), fetching, processing, database, serving or live.
--yes or CI=true answers every question with yes; --dry-run says what would be done and does nothing;
--now deploys although jobs run or the nightly schedule is under way (18:45 to 22:00 in New York).

Settings: CONDVEST_STATE_BUCKET (condvest-terraform-state), CONDVEST_STATE_REGION (ca-west-1),
CONDVEST_AWS_ACCOUNT_ID (instead of aws_account_id in environments/ENVIRONMENT.tfvars), CONDVEST_LOCK_SECONDS (60:
how long to wait for another deployment), CONDVEST_POLL_SECONDS (10: how often to ask how a job is),
CONDVEST_JOB_POLLS (180: how many times), CONDVEST_LOADER_CALLS (18: how often to call
the loader until it answers).
TEXT
}

# A wrong call ends with 2, as condvest's own commands do.
wrong_usage() { die "$1" "deploy.sh --help lists environments and commands" 2; }

parse_options() {
  ENVIRONMENT="" COMMAND="" TARGET="" DRY_RUN=false ASSUME_YES=false NOW=false SINCE_MINUTES=60
  [ "${CI:-}" != true ] || ASSUME_YES=true
  while [ $# -gt 0 ]; do
    case "$1" in
      -h | --help) usage && exit 0 ;;
      --yes) ASSUME_YES=true ;;
      --dry-run) DRY_RUN=true ;;
      --now) NOW=true ;;
      --since)
        shift
        SINCE_MINUTES="${1:-}"
        case "$SINCE_MINUTES" in '' | *[!0-9]*) wrong_usage "--since takes a number of minutes" ;; esac
        ;;
      -*) wrong_usage "unknown option $1" ;;
      *) take_word "$1" ;;
    esac
    shift
  done
  [ -n "$ENVIRONMENT" ] || wrong_usage "no environment was given"
  [ -n "$COMMAND" ] || wrong_usage "no command was given"
  : "${TARGET:=all}"
  [ "$COMMAND $TARGET" != "rollback $TARGET" ] || [ "$TARGET" = all ] \
    || wrong_usage "rollback takes no target: only all has releases"
}

take_word() {
  if [ -z "$ENVIRONMENT" ]; then
    case "$1" in
      dev | staging | prod) ENVIRONMENT="$1" ;;
      *) wrong_usage "unknown environment $1: dev, staging or prod" ;;
    esac
  elif [ -z "$COMMAND" ]; then
    case "$1" in
      all | fetching | processing | database | serving | live) COMMAND=deploy TARGET="$1" ;;
      layer | build | init | plan | destroy | rollback | validate | status | outputs | logs | bootstrap) COMMAND="$1" ;;
      *) wrong_usage "unknown command or component $1" ;;
    esac
  elif [ -z "$TARGET" ]; then
    case "$1" in
      all | fetching | processing | database | serving | live) TARGET="$1" ;;
      *) wrong_usage "unknown target $1: all, fetching, processing, database, serving or live" ;;
    esac
  else
    wrong_usage "one word too many: $1"
  fi
}

# The value of NAME = "value" on a line of its own in a variables file; nothing where it is not set.
variable_in() {
  sed -n "s/^[[:space:]]*$2[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\1/p" "$1" | head -n 1
}

# A part of the runtime that the environment's file or the common one sets, or a default.
runtime_of() {
  local file found=""
  for file in "$VARIABLES" "$INFRASTRUCTURE/terraform.tfvars"; do
    [ -n "$found" ] || found="$(awk '/^runtime[ \t]*=/ { on = 1 } on { print } on && /}/ { exit }' "$file" \
      | sed -n "s/^\(.*[^a-z_]\)\{0,1\}$1[[:space:]]*=[[:space:]]*\"\([^\"]*\)\".*/\2/p" | head -n 1)"
  done
  printf '%s\n' "${found:-$2}"
}

# Whether a word is in a list of words.
is_one_of() {
  case " $2 " in *" $1 "*) return 0 ;; *) return 1 ;; esac
}

use_settings() {
  INFRASTRUCTURE="$HERE/infrastructure"
  VARIABLES="$INFRASTRUCTURE/environments/$ENVIRONMENT.tfvars"
  BUILD="$(dirname "$HERE")/build"
  WORK="$BUILD/deploy/$ENVIRONMENT/$TARGET"
  BASE_PIN="$HERE/processing/container_images/base.txt"
  PROJECT="$(variable_in "$INFRASTRUCTURE/terraform.tfvars" project)"
  REGION="$(variable_in "$VARIABLES" aws_region)"
  : "${REGION:=$(variable_in "$INFRASTRUCTURE/terraform.tfvars" aws_region)}"
  ARCHITECTURE="$(runtime_of architecture x86_64)"
  PYTHON_VERSION="$(runtime_of name python3.13)"
  PYTHON_VERSION="${PYTHON_VERSION#python}"
  EXPECTED_ACCOUNT="${CONDVEST_AWS_ACCOUNT_ID:-$(variable_in "$VARIABLES" aws_account_id)}"
  STATE_BUCKET="${CONDVEST_STATE_BUCKET:-condvest-terraform-state}"
  STATE_REGION="${CONDVEST_STATE_REGION:-ca-west-1}"
  ACCOUNT=unknown
  case "$TARGET" in
    all) TERRAFORM_ROOT="$INFRASTRUCTURE" NAME_PREFIX="$PROJECT-$ENVIRONMENT" ;;
    serving) TERRAFORM_ROOT="$(dirname "$HERE")/serving_layer/terraform" NAME_PREFIX="$PROJECT-$ENVIRONMENT-serving" ;;
    live) TERRAFORM_ROOT="$(dirname "$HERE")/speed_layer/terraform" NAME_PREFIX="$PROJECT-$ENVIRONMENT-live" ;;
    *) TERRAFORM_ROOT="$HERE/$TARGET/terraform" NAME_PREFIX="$PROJECT-$ENVIRONMENT-$TARGET" ;;
  esac
  SERVING_ACCESS="$(variable_in "$VARIABLES" serving_access)"
  : "${SERVING_ACCESS:=$(variable_in "$INFRASTRUCTURE/terraform.tfvars" serving_access)}"
  LIVE="$(sed -n 's/^live[[:space:]]*=[[:space:]]*\(true\|false\).*/\1/p' "$VARIABLES" | head -n 1)"
  # AWS's tools read either name; no pager may wait for a key.
  export AWS_REGION="$REGION" AWS_DEFAULT_REGION="$REGION" AWS_PAGER=""
}
