# shellcheck shell=bash
# shellcheck disable=SC2153 # set by options.sh
# Terraform: initialised for one state, planned into a file, and that very plan applied.

CHANGES=false

# Terraform colours its words wherever they go; a log is for reading.
terraform_here() {
  local plain=-no-color
  [ ! -t 2 ] || plain=""
  TF_DATA_DIR="$WORK/terraform" TF_IN_AUTOMATION=1 TF_INPUT=0 terraform -chdir="$TERRAFORM_ROOT" "$@" ${plain:+"$plain"}
}

init_terraform() {
  step "Initialising Terraform"
  would "use the state s3://$STATE_BUCKET/$(state_key)" && return
  local lock="" held=""
  # A provider of another hash than the committed one is refused instead of written down.
  [ ! -f "$TERRAFORM_ROOT/.terraform.lock.hcl" ] || held=-lockfile=readonly
  if at_least "$TERRAFORM_VERSION" 1.10.0; then
    lock=-backend-config=use_lockfile=true
  else
    warn "terraform $TERRAFORM_VERSION cannot lock the state in S3 (1.10 can): see that nobody else deploys now"
  fi
  # skip_region_validation: an older Terraform does not know the newer regions.
  mkdir -p "$WORK"
  terraform_here init -reconfigure \
    "-backend-config=bucket=$STATE_BUCKET" "-backend-config=key=$(state_key)" \
    "-backend-config=region=$STATE_REGION" -backend-config=skip_region_validation=true \
    ${lock:+"$lock"} ${held:+"$held"} >"$WORK/init.txt" 2>&1 || {
    cat "$WORK/init.txt" >&2
    die "terraform init failed (above)" "mend it and run the same command again"
  }
}

# What Terraform is told beside the variables files. A component root has few variables and no file of its own.
pass_variables() {
  export TF_VAR_environment="$ENVIRONMENT" TF_VAR_project="$PROJECT" TF_VAR_aws_region="$REGION"
  export TF_VAR_aws_account_id="$EXPECTED_ACCOUNT"
  # A component root reads no variables file, and must run on what the artefacts are built for.
  export TF_VAR_runtime="{\"name\":\"python$PYTHON_VERSION\",\"architecture\":\"$ARCHITECTURE\"}"
  if needs_functions; then
    if [ -n "$RELEASED_PACKAGE" ]; then # of a release, which was published long ago
      TF_VAR_function_package="$RELEASED_PACKAGE" TF_VAR_layer_package=null
    else
      TF_VAR_function_package="$(package_of "$PACKAGES_MANIFEST")" || exit 1
      TF_VAR_layer_package="$(package_of "$LAYER_MANIFEST")" || exit 1
    fi
    export TF_VAR_function_package TF_VAR_layer_package
    if [ -n "$LAYER_ARN" ]; then
      export TF_VAR_lambda_layer_arns="[\"$LAYER_ARN\"]"
    fi
  fi
  if needs_serving; then
    if [ -n "$RELEASED_SERVING" ]; then
      TF_VAR_serving_package="$RELEASED_SERVING"
    else
      TF_VAR_serving_package="$(package_of "$SERVING_MANIFEST")" || exit 1
    fi
    export TF_VAR_serving_package
  fi
  if needs_image && [ -n "$CONTAINER_IMAGE" ]; then
    export TF_VAR_container_image="$CONTAINER_IMAGE"
  fi
}

# Path and hash of a manifest, as a Terraform value; a stand-in where nothing was built, which only destroy accepts.
package_of() {
  local path sha256
  if [ -f "$BUILD/$1" ]; then
    path="$(manifest "$1" path)"
    sha256="$(manifest "$1" sha256)"
    case "$path" in /*) ;; *) path="$(dirname "$BUILD")/$path" ;; esac
  else
    [ "$COMMAND" = destroy ] || die "$BUILD/$1 is missing" "run: deploy.sh $ENVIRONMENT build"
    path="$TERRAFORM_ROOT/versions.tf"
    sha256="$(sha256_of "$path")"
  fi
  printf '{"path":"%s","sha256":"%s"}\n' "$path" "$sha256"
}

sha256_of() {
  python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"
}

# Runs Terraform, shows and keeps its words, and says what to do about the failures that are known.
terraform_told() {
  local file="$WORK/terraform.txt" code=0
  pass_variables
  if [ "$TARGET" = all ]; then
    # The two files may each set a part of the runtime; what is built is of both.
    set -- "$@" "-var-file=$VARIABLES" "-var=runtime=$TF_VAR_runtime"
    # The account may come from the environment instead of the file.
    [ -z "$EXPECTED_ACCOUNT" ] || set -- "$@" "-var=aws_account_id=$EXPECTED_ACCOUNT"
    [ -z "$RESERVED_CONCURRENCY" ] || set -- "$@" "-var=reserved_concurrency=$RESERVED_CONCURRENCY"
  fi
  terraform_here "$@" 2>&1 | show_and_keep "$file" || code="${PIPESTATUS[0]}"
  [ "$code" -ne 1 ] || explain_failure "$file"
  return "$code"
}

# Interrupted, Terraform ends what it has begun and saves the state; if its reader went first, it would die on the spot.
show_and_keep() { (trap '' INT TERM; exec tee "$1" >&2); }

explain_failure() {
  if grep -q -e "errored.tfstate" -e "Failed to save state" -e "Failed to persist state" "$1"; then
    die "what was done is not in the state: it lies in $TERRAFORM_ROOT/errored.tfstate" \
      "before anything else: TF_DATA_DIR=$WORK/terraform terraform -chdir=$TERRAFORM_ROOT state push errored.tfstate"
  fi
  if grep -q "Error acquiring the state lock" "$1"; then
    die "somebody else is deploying, or a deployment was cut off: the state is locked (who and when: above)" \
      "wait; if nobody is there: terraform -chdir=$TERRAFORM_ROOT force-unlock ID, with TF_DATA_DIR=$WORK/terraform"
  fi
  explain_refused_request "$1"
  die "terraform failed (above); what was done until then is in the state" \
    "mend it and run the same command again: it goes on where it stopped"
}

# Leaves the plan in WORK, under a name that no other run on this machine has.
# Succeeds whether or not there is something to change; CHANGES tells.
plan_changes() {
  step "Planning"
  would "run terraform plan in $TERRAFORM_ROOT" && return
  local code=0
  terraform_told plan "-lock-timeout=${CONDVEST_LOCK_SECONDS:-60}s" -detailed-exitcode "-out=$WORK/plan.$$" "$@" || code=$?
  case "$code" in
    0) CHANGES=false ;;
    2) CHANGES=true ;;
    *) exit "$code" ;;
  esac
}

apply_plan() {
  local code=0
  terraform_here apply "-lock-timeout=${CONDVEST_LOCK_SECONDS:-60}s" "$WORK/plan.$$" 2>&1 \
    | show_and_keep "$WORK/terraform.txt" || code="${PIPESTATUS[0]}"
  [ "$code" -eq 0 ] || explain_failure "$WORK/terraform.txt"
}

plan_and_confirm() {
  plan_changes
  would "ask before it is applied to prod" && return
  if [ "$CHANGES" = true ]; then
    confirm "apply the plan above to $ENVIRONMENT"
  else
    say "nothing to change"
  fi
}

# What was confirmed. After a migration a part of it is applied, so the rest is planned anew.
apply_changes() {
  would "apply the plan" && return
  if [ "$MIGRATED" = true ] && [ "$CHANGES" = true ]; then
    plan_changes
  fi
  [ "$CHANGES" = true ] || return 0
  step "Applying"
  apply_plan
}

# Some resources ahead of the others: the repository before its first image, the migration before the code.
apply_only() {
  local before="$CHANGES" target
  local targets=()
  for target in "$@"; do targets+=("-target=$target"); done
  plan_changes "${targets[@]}"
  [ "$CHANGES" = false ] || apply_plan
  CHANGES="$before"
}

destroy_everything() {
  step "Destroying"
  would "destroy everything in s3://$STATE_BUCKET/$(state_key)" && return
  plan_changes -destroy
  if [ "$CHANGES" = false ]; then
    say "there is nothing to destroy"
    return
  fi
  apply_plan
  say "everything of $NAME_PREFIX is gone; its state stays in s3://$STATE_BUCKET/$(state_key)"
}

# What AWS refuses a new account. What was done until then is in the state, as after any other failure.
explain_refused_request() {
  if grep -q "Unable to assume the service linked role" "$1"; then
    die "the account lacks a role that AWS Batch acts under (above)" "deploy.sh $ENVIRONMENT bootstrap makes it; then run the same command again"
  fi
  if grep -q "UnreservedConcurrentExecution below its minimum" "$1"; then
    die "the account may run too few functions at once to reserve any of them (above)" \
      "reserved_concurrency = -1 in environments/$ENVIRONMENT.tfvars, or ask AWS for more (Service Quotas > Lambda); then run the same command again"
  fi
  if grep -q "FreeTierRestrictionError" "$1"; then
    die "an account on AWS's free plan may not have this (above)" \
      "one day of backups is what it allows (backup_days = 1 in environments/$ENVIRONMENT.tfvars); or take the paid plan; then run the same command again"
  fi
}

validate_configuration() {
  step "Validating"
  local root
  mkdir -p "$BUILD/deploy"
  terraform_roots >"$BUILD/deploy/roots.txt"
  while read -r root; do
    would "check $root" && continue
    terraform fmt -check -recursive "$root" >&2 \
      || die "terraform fmt would change the files above" "run: terraform fmt -recursive batch_layer serving_layer speed_layer"
    TERRAFORM_ROOT="$root"
    WORK="$BUILD/deploy/validate/$(basename "$(dirname "$root")")"
    terraform_here init -backend=false >/dev/null || die "terraform init failed in $root (above)" "is the registry reached?"
    terraform_here validate >&2 || die "$root is not valid (above)" ""
  done <"$BUILD/deploy/roots.txt"
}
