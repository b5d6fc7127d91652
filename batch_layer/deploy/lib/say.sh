# shellcheck shell=bash
# shellcheck disable=SC2153 # set by options.sh
# What is said, and how a step ends. Messages go to standard error; only what is asked for goes to standard output.

say() { printf '%s\n' "$*" >&2; }

step() { printf '\n==> %s\n' "$*" >&2; }

warn() { printf 'warning: %s\n' "$*" >&2; }

# Ends with a message, what to do, and code 1 (or $3).
die() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2:-}" ] || printf '       %s\n' "$2" >&2
  exit "${3:-1}"
}

# Under --dry-run, says what would be done and succeeds, so that a step can begin with: would "..." && return
would() {
  [ "$DRY_RUN" = true ] || return 1
  say "would $*"
}

# Asks before prod is changed; every other environment is changed without a question.
confirm() {
  [ "$ENVIRONMENT" != prod ] || confirm_typed "$1"
}

# Asks for the environment's name, unless --yes or CI=true took the answer.
confirm_typed() {
  if [ "$DRY_RUN" = true ] || [ "$ASSUME_YES" = true ]; then
    return
  fi
  [ -t 0 ] || die "nobody is there to confirm: $1" \
    "run it in a terminal, or with --yes, or with CI=true"
  printf '\nThis will %s (account %s).\nType %s to go on: ' "$1" "$ACCOUNT" "$ENVIRONMENT" >&2
  answer=""
  read -r answer || true
  [ "$answer" = "$ENVIRONMENT" ] || die "not confirmed: nothing was changed" "" 1
}
