# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the parts share their settings
# What a new AWS account lacks, and what holds the tools to the versions that were checked.

PLATFORMS="linux_amd64 linux_arm64 darwin_amd64 darwin_arm64"
RESERVED_CONCURRENCY=""

# AWS makes these roles at the first use of a service, too late for Batch: its first compute environment would be invalid.
create_linked_roles() {
  step "Creating the roles that AWS's services need"
  would "create the service-linked roles of ECS, Batch and RDS" && return
  local service
  for service in ecs batch rds; do
    if aws iam create-service-linked-role --aws-service-name "$service.amazonaws.com" >/dev/null 2>"$(scratch)"; then
      say "$service: created"
    elif grep -q -e "has been taken" -e "already exists" "$(scratch)"; then
      say "$service: there already"
    else
      die "the role of $service could not be created: $(cat "$(scratch)")" \
        "may the credentials create service-linked roles (iam:CreateServiceLinkedRole)?"
    fi
  done
}

# Names, code and what is needed of the quotas that a new account may lack.
show_quotas() {
  step "Looking at the account's quotas"
  would "show the quotas of Lambda, Fargate and networks" && return
  quota lambda L-B99A9384 "concurrent executions of functions" 104 "below it nothing is reserved (deploy.sh sees to that)"
  quota fargate L-36FBB829 "vCPUs on Fargate Spot" 4 "the array of a resampling waits for its turn below it"
  quota fargate L-3032A538 "vCPUs on Fargate" 1 "the migration does not start below it"
  quota vpc L-F678F1CE "networks in a region" 5 "one for each environment and component test, and the default one"
}

quota() {
  local value
  value="$(aws service-quotas get-service-quota --service-code "$1" --quota-code "$2" \
    --query Quota.Value --output text 2>/dev/null)" || value="unknown"
  say "$3: $value (wanted: $4; $5)"
  case "$value" in
    unknown | None) ;;
    *) [ "${value%.*}" -ge "$4" ] || warn "the quota of $3 is $value: ask AWS for more (Service Quotas > $1)" ;;
  esac
}

# A new account keeps all its executions unreserved, and refuses a reservation in the middle of the apply.
choose_concurrency() {
  [ "$TARGET" = all ] || return 0
  would "reserve no concurrency where the account's quota is too small" && return
  local wanted unreserved name ours=0 one
  wanted="$(sed -n 's/^reserved_concurrency[[:space:]]*=[[:space:]]*\(-\{0,1\}[0-9]*\).*/\1/p' "$VARIABLES" | head -n 1)"
  : "${wanted:=2}"
  [ "$wanted" != -1 ] || return 0
  unreserved="$(aws lambda get-account-settings --query AccountLimit.UnreservedConcurrentExecutions --output text 2>"$(scratch)")" \
    || { warn "AWS does not tell the quota of concurrent executions: $(cat "$(scratch)")" && return 0; }
  for name in daily-ohlcv-fetcher daily-meta-fetcher archive-loader; do
    one="$(aws lambda get-function-concurrency --function-name "$NAME_PREFIX-$name" \
      --query ReservedConcurrentExecutions --output text 2>/dev/null)" || one=0 # not there yet
    case "$one" in '' | None) one=0 ;; esac
    ours=$((ours + one))
  done
  # 100 must stay unreserved; each fetcher takes one.
  if [ $((unreserved + ours - wanted - 2)) -lt 100 ]; then
    RESERVED_CONCURRENCY=-1
    warn "this account has $unreserved unreserved executions, too few to reserve any: nothing holds a fetcher to one copy" \
      "(the vendor's rate limit rests on that) until AWS raises the quota (Service Quotas > Lambda)"
  fi
}

# The files that hold the provider and the base image to what was checked. They are made where a registry is reached.
pin_everything() {
  step "Holding provider and base image to what is there today"
  would "write .terraform.lock.hcl of each root and container_images/base.txt, where they are missing" && return
  local root platform
  mkdir -p "$WORK"
  terraform_roots >"$WORK/roots.txt"
  while read -r root; do
    [ ! -f "$root/.terraform.lock.hcl" ] || continue
    set --
    for platform in $PLATFORMS; do set -- "$@" "-platform=$platform"; done
    if TF_DATA_DIR="$WORK/lock" terraform -chdir="$root" providers lock -no-color "$@" </dev/null >"$WORK/lock.txt" 2>&1; then
      say "$root/.terraform.lock.hcl: commit it"
    else
      # What fails for one root, most likely the way to the registry, fails for the others.
      warn "the provider of $root could not be locked, and the roots after it were not tried: $(error_in "$WORK/lock.txt")" \
        "Run bootstrap again where registry.terraform.io answers; until the files are committed, each deployment takes the newest provider"
      break
    fi
  done <"$WORK/roots.txt"
  [ -f "$BASE_PIN" ] || "$HERE/processing/container_images/pin_base.sh" >&2 \
    || warn "the base image could not be pinned: run processing/container_images/pin_base.sh where Docker answers"
}

# Terraform's own words for an error, in one line.
error_in() { tr '\n' ' ' <"$1" | sed -e 's/.*Error: //' -e 's/  */ /g' -e 's/ $//'; }

check_pinned() {
  would "warn where provider or base image is not pinned" && return
  [ -f "$TERRAFORM_ROOT/.terraform.lock.hcl" ] \
    || warn "$TERRAFORM_ROOT has no .terraform.lock.hcl: the newest provider is taken, whatever it is (deploy.sh $ENVIRONMENT bootstrap)"
  if needs_image && [ ! -f "$BASE_PIN" ]; then
    warn "the base image is not pinned by digest: it stays as old as the first build (deploy.sh $ENVIRONMENT bootstrap)"
  fi
}

terraform_roots() {
  printf '%s\n' "$INFRASTRUCTURE" "$HERE/database/terraform" "$HERE/fetching/terraform" "$HERE/processing/terraform" \
    "$(dirname "$HERE")/serving_layer/terraform" "$(dirname "$HERE")/speed_layer/terraform"
}
