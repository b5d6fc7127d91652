#!/usr/bin/env bash
# Deploys the batch layer to AWS: ./deploy.sh ENVIRONMENT COMMAND (./deploy.sh --help lists the commands).
# This file names the steps, in order; deploy/lib/*.sh hold them. Runs on bash 3.2 and later, from any folder.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for part in say options checks state artefacts terraform jobs report; do
  # shellcheck source=/dev/null
  . "$HERE/deploy/lib/$part.sh"
done

deploy() {
  check_tools
  check_account
  check_state_bucket
  confirm "deploy $TARGET to $ENVIRONMENT"
  build_artefacts
  init_terraform
  publish_layer
  push_image
  apply_changes
  migrate_database
  smoke_check
  show_outputs
  show_next_steps
}

plan() {
  check_tools
  check_account
  check_state_bucket
  build_artefacts
  init_terraform
  find_published_layer
  find_pushed_image
  plan_changes
}

destroy() {
  check_tools
  check_account
  check_state_bucket
  check_unprotected
  confirm_typed "destroy $TARGET in $ENVIRONMENT and everything stored in it"
  init_terraform
  destroy_everything
}

# The commands that change nothing that costs money.
others() {
  check_tools
  case "$COMMAND" in
    build | validate) ;;
    *) check_account ;;
  esac
  case "$COMMAND" in
    init | outputs) check_state_bucket; init_terraform ;;
    layer) build_layer; publish_layer ;;
    build) build_artefacts ;;
  esac
  case "$COMMAND" in
    layer) show_layer ;;
    build) show_artefacts ;;
    outputs) show_outputs ;;
    validate) validate_configuration ;;
    bootstrap) create_state_bucket ;;
    status) show_status ;;
    logs) show_logs ;;
  esac
}

main() {
  parse_options "$@"
  use_settings
  trap 'rm -f "$WORK/plan.$$"' EXIT
  trap 'die "interrupted: what was done until then is in the state" "run the same command again" 130' INT TERM
  case "$COMMAND" in
    deploy | plan | destroy) "$COMMAND" ;;
    *) others ;;
  esac
}

main "$@"
