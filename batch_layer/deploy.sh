#!/usr/bin/env bash
# Deploys the batch layer to AWS: ./deploy.sh ENVIRONMENT COMMAND (./deploy.sh --help lists the commands).
# This file names the steps, in order; deploy/lib/*.sh hold them. Runs on bash 3.2 and later, from any folder.
set -euo pipefail

HERE="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
for part in say options checks account state artefacts releases terraform jobs database report; do
  # shellcheck source=/dev/null
  . "$HERE/deploy/lib/$part.sh"
done

deploy() {
  check_before_changes
  confirm "deploy $TARGET to $ENVIRONMENT"
  build_artefacts
  init_terraform
  publish_layer
  push_image
  change_everything
  show_next_steps
}

# The release before the present one, as it was built then: its functions, its layer, its image.
rollback() {
  check_before_changes
  find_release previous
  confirm "put $NAME_PREFIX back to the release before ($RELEASE)"
  init_terraform
  change_everything
}

# The schema first, then the code: what runs until then goes on with a schema that has been added to.
change_everything() {
  wake_database
  plan_and_confirm
  migrate_database
  apply_changes
  smoke_check
  record_release
  show_outputs
}

plan() {
  check_tools
  check_account
  check_state_bucket
  choose_concurrency
  build_artefacts
  init_terraform
  find_published_layer
  find_pushed_image
  plan_changes
}

destroy() {
  check_tools
  check_account
  check_credentials_last
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
    bootstrap) create_state_bucket; create_linked_roles; show_quotas; pin_everything; show_what_follows ;;
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
    deploy | plan | destroy | rollback) "$COMMAND" ;;
    *) others ;;
  esac
}

main "$@"
