# shellcheck shell=sh disable=SC2154
# What the host runs, and what it will.

step() {
    find_loader
    say "running   $(uname -r)$(if on_trial; then echo ', on trial'; fi)"
    say "default   $(default_entry)"
    say "next      $(next_entry)"
    case $(get phase) in
        '') say "deploy    none" ;;
        confirmed) say "deploy    $(get release) is confirmed; --rollback goes back to $(get before)" ;;
        *) say "deploy    of $(get release) under way, from $(get before); start it again, or --rollback" ;;
    esac
    if systemctl is-active --quiet "$unit"; then say "switch    armed: unconfirmed, the host reboots into $(get before)"; fi
}
