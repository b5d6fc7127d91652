# shellcheck shell=bash
# shellcheck disable=SC2034,SC2153,SC2154 # the parts share their settings
# What was deployed last and before that: commit, layer, image, and the packages of functions themselves, in the state bucket.
# Each deployment that passed its checks is written down; `rollback` deploys the one before.

RELEASE="" RELEASED_PACKAGE="" RELEASED_SERVING=""

release_place() { printf 's3://%s/releases/%s/%s\n' "$STATE_BUCKET" "$NAME_PREFIX" "$1"; }

# Only the whole layer has releases: what tests a component is taken down again.
record_release() {
  [ "$TARGET" = all ] || return 0
  step "Writing down the release"
  would "keep this release in $(release_place current.json), and the one before beside it" && return
  local new="$WORK/release.json" old="$WORK/current.json" package part serving="" serving_sha256=""
  pass_variables
  package="$(printf '%s' "$TF_VAR_function_package" | json path)"
  if needs_serving; then
    serving="$(printf '%s' "$TF_VAR_serving_package" | json path)"
    serving_sha256="$(printf '%s' "$TF_VAR_serving_package" | json sha256)"
  fi
  printf '{"commit":"%s","function_sha256":"%s","layer_arn":"%s","container_image":"%s","serving_sha256":"%s"}\n' \
    "$(commit_here)" "$(printf '%s' "$TF_VAR_function_package" | json sha256)" "$LAYER_ARN" "$CONTAINER_IMAGE" \
    "$serving_sha256" >"$new"
  if copy "$(release_place current.json)" "$old" 2>/dev/null; then
    if [ "$(artefacts_in "$old")" = "$(artefacts_in "$new")" ]; then
      say "the same release as before: $(artefacts_in "$new")"
      return
    fi
    for part in json zip; do copy "$(release_place "current.$part")" "$(release_place "previous.$part")" || lost_release; done
    if [ -n "$(json serving_sha256 <"$old")" ]; then
      copy "$(release_place current-serving.zip)" "$(release_place previous-serving.zip)" || lost_release
    fi
  fi
  copy "$package" "$(release_place current.zip)" || lost_release
  [ -z "$serving" ] || copy "$serving" "$(release_place current-serving.zip)" || lost_release
  copy "$new" "$(release_place current.json)" || lost_release
}

lost_release() {
  die "everything is deployed, but the release could not be written down: a rollback would not find it" \
    "run the same command again"
}

# Takes the artefacts of a release (current or previous) instead of building.
find_release() {
  step "Looking for the $1 release"
  would "take functions, layer and image from $(release_place "$1.json")" && return
  local told="$WORK/$1.json" zip="$WORK/$1.zip" serving="$WORK/$1-serving.zip"
  mkdir -p "$WORK"
  copy "$(release_place "$1.json")" "$told" 2>"$(scratch)" \
    || die "there is no $1 release of $NAME_PREFIX: $(cat "$(scratch)")" "deploy.sh $ENVIRONMENT all writes down what it deploys"
  copy "$(release_place "$1.zip")" "$zip" || die "the package of the $1 release cannot be read" "run the same command again"
  [ "$(sha256_of "$zip")" = "$(json function_sha256 <"$told")" ] \
    || die "the package of the $1 release is not the one that was deployed (its sha256 differs)" "nothing was changed"
  RELEASE="commit $(json commit <"$told")"
  RELEASED_PACKAGE="{\"path\":\"$zip\",\"sha256\":\"$(json function_sha256 <"$told")\"}"
  if needs_serving; then
    [ -n "$(json serving_sha256 <"$told")" ] \
      || die "the $1 release of $NAME_PREFIX served nothing" "set serving_access = \"none\" in environments/$ENVIRONMENT.tfvars, and again"
    copy "$(release_place "$1-serving.zip")" "$serving" || die "the serving package of the $1 release cannot be read" "run the same command again"
    [ "$(sha256_of "$serving")" = "$(json serving_sha256 <"$told")" ] \
      || die "the serving package of the $1 release is not the one that was deployed (its sha256 differs)" "nothing was changed"
    RELEASED_SERVING="{\"path\":\"$serving\",\"sha256\":\"$(json serving_sha256 <"$told")\"}"
  fi
  LAYER_ARN="$(json layer_arn <"$told")"
  CONTAINER_IMAGE="$(json container_image <"$told")"
  say "$RELEASE: $LAYER_ARN, $CONTAINER_IMAGE"
}

copy() { aws s3 cp --only-show-errors --region "$STATE_REGION" "$1" "$2"; }

# What makes two releases the same, whatever commit they are of.
artefacts_in() { json function_sha256 layer_arn container_image serving_sha256 <"$1"; }

# The values of some names in JSON on standard input, in one line.
json() {
  python3 -c 'import json, sys
told = json.load(sys.stdin)
print(*(told.get(name) or "" for name in sys.argv[1:]))' "$@"
}

commit_here() {
  if [ "$COMMAND" = rollback ]; then
    printf '%s\n' "${RELEASE#commit }"
  else
    git -C "$HERE" rev-parse --short HEAD 2>/dev/null || printf 'unknown\n'
  fi
}
