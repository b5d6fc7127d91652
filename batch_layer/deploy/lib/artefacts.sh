# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153 # the parts share their settings
# What is built and handed to Terraform: the function package, the layer, the image. Each builder writes a manifest with
# path and sha256 under build/, and gives the same bytes for the same inputs, so that nothing unchanged is deployed.

LAYER_NAME=condvest-batch-dependencies
PACKAGES_MANIFEST=lambda/packages.json
LAYER_MANIFEST=lambda/layer.json
SERVING_MANIFEST=lambda/serving.json
LAYER_ARN="" CONTAINER_IMAGE="" REPOSITORY=""

needs_functions() { is_one_of "$TARGET" "all fetching"; }
needs_image() { is_one_of "$TARGET" "all processing live"; }
needs_live() { [ "$TARGET" = live ] || [ "$TARGET ${LIVE:-false}" = "all true" ]; }
needs_serving() {
  case "$TARGET" in
    serving) return 0 ;;
    all) is_one_of "${SERVING_ACCESS:-none}" "iam jwt" ;;
    *) return 1 ;;
  esac
}

build_artefacts() {
  if needs_functions; then
    build_layer
    build_packages
  fi
  if needs_serving; then
    build_serving
  fi
  if needs_image; then
    build_image
  fi
}

build_layer() {
  step "Building the layer"
  would "run fetching/deployment_packages/build_layer.sh" && return
  builder fetching/deployment_packages/build_layer.sh --arch "$ARCHITECTURE" --python "$PYTHON_VERSION" --out "$BUILD/lambda"
}

build_packages() {
  step "Building the function package"
  would "run fetching/deployment_packages/build_packages.sh" && return
  builder fetching/deployment_packages/build_packages.sh --arch "$ARCHITECTURE" --python "$PYTHON_VERSION" --out "$BUILD/lambda"
}

build_serving() {
  step "Building the package of the function that serves"
  would "run serving_layer/deployment_packages/build_package.sh" && return
  builder ../serving_layer/deployment_packages/build_package.sh --arch "$ARCHITECTURE" --python "$PYTHON_VERSION" --out "$BUILD/lambda"
}

# Where there is a repository already, building and pushing are one run: an image is not packed twice.
build_image() {
  step "Building the image of the jobs"
  would "run processing/container_images/build_container.sh" && return
  [ "$COMMAND" != deploy ] || find_repository
  if [ -n "$REPOSITORY" ]; then
    build_and_push "$REPOSITORY"
  else
    builder processing/container_images/build_container.sh --arch "$ARCHITECTURE"
  fi
}

build_and_push() {
  builder processing/container_images/build_container.sh --arch "$ARCHITECTURE" --push "$1"
  case "$BUILT" in
    *@sha256:*) CONTAINER_IMAGE="$BUILT" ;;
    sha256:*) CONTAINER_IMAGE="$1@$BUILT" ;;
    *) die "build_container.sh did not print the digest of what it pushed, but: $BUILT" "" ;;
  esac
}

# Runs a builder; its words go to standard error, its last line is kept in BUILT.
builder() {
  local script="$HERE/$1"
  [ -x "$script" ] || die "there is no $script" "the checkout is not complete: git status"
  shift
  mkdir -p "$WORK"
  BUILT=""
  "$script" "$@" >"$WORK/builder.txt" || {
    cat "$WORK/builder.txt" >&2
    die "$(basename "$script") failed (above): nothing was deployed" "mend it and run the same command again"
  }
  cat "$WORK/builder.txt" >&2
  BUILT="$(tail -n 1 "$WORK/builder.txt")"
}

# A value of a manifest.
manifest() {
  [ -f "$BUILD/$1" ] || die "$BUILD/$1 is missing" "run: deploy.sh $ENVIRONMENT build"
  python3 -c 'import json, sys
value = json.load(open(sys.argv[1], encoding="utf-8")).get(sys.argv[2])
print("" if value is None else value)' "$BUILD/$1" "$2"
}

# The layer is published by content: a version that holds these very bytes is used again.
publish_layer() {
  if ! is_one_of "$COMMAND" layer && ! needs_functions; then
    return
  fi
  step "Publishing the layer"
  would "run fetching/deployment_packages/build_layer.sh --publish unless these bytes are published" && return
  find_published_layer
  [ -z "$LAYER_ARN" ] || return 0
  builder fetching/deployment_packages/build_layer.sh --publish "$BUILD/lambda"
  find_published_layer
  [ -n "$LAYER_ARN" ] || die "the layer was published, and AWS does not list it" "run the same command again"
}

find_published_layer() {
  if ! is_one_of "$COMMAND" layer && ! needs_functions; then
    return
  fi
  would "look for a published layer with the same bytes" && return
  local sha256
  sha256="$(manifest "$LAYER_MANIFEST" sha256)" || exit 1
  LAYER_ARN="$(aws lambda list-layer-versions --layer-name "$LAYER_NAME" --no-paginate --output text --query \
    "LayerVersions[?Description != null && contains(Description, '$sha256')].LayerVersionArn | [0]" \
    2>"$(scratch)")" || die "AWS does not list the layers: $(cat "$(scratch)")" \
    "may the credentials list layers, and is the region switched on?"
  [ "$LAYER_ARN" != None ] || LAYER_ARN=""
}

# The repository must be there before the image, and the image before the job definitions. ECR scans what is pushed, so the
# rules that count what it finds come with the repository.
push_image() {
  needs_image && [ -z "$CONTAINER_IMAGE" ] || return 0
  step "Pushing the image"
  would "create the repository $NAME_PREFIX/jobs if it is missing, and push the image into it" && return
  apply_only module.processing.aws_ecr_repository.this module.processing.aws_cloudwatch_event_rule.scans
  find_repository
  [ -n "$REPOSITORY" ] || die "the repository $NAME_PREFIX/jobs is missing" "run the same command again"
  build_and_push "$REPOSITORY"
}

# For a plan: the image that is deployed now, so that nothing is pushed only to look.
find_pushed_image() {
  needs_image || return 0
  would "look for the image that is deployed" && return
  CONTAINER_IMAGE="$(terraform_here output -raw container_image 2>/dev/null)" || CONTAINER_IMAGE=""
  case "$CONTAINER_IMAGE" in *@sha256:*) ;; *) CONTAINER_IMAGE="" ;; esac
}

# Where the image is pushed; empty where there is no such repository yet.
find_repository() {
  REPOSITORY="$(aws ecr describe-repositories --repository-names "$NAME_PREFIX/jobs" \
    --query 'repositories[0].repositoryUri' --output text 2>"$(scratch)")" && return
  REPOSITORY=""
  grep -q RepositoryNotFound "$(scratch)" || cannot_tell "whether the repository $NAME_PREFIX/jobs is there"
}

show_artefacts() {
  [ "$DRY_RUN" = true ] || find "$BUILD" -maxdepth 2 -name '*.json' -path '*lambda*' -exec cat {} +
}

show_layer() {
  [ "$DRY_RUN" = true ] || printf 'lambda_layer_arns = ["%s"]\n' "$LAYER_ARN"
  say "deploy.sh finds this layer by itself; the line above, in infrastructure/terraform.tfvars, would hold this version."
}
