# shellcheck shell=sh disable=SC2154
# The new kernel is the default from now on.

step() {
    begin
    find_loader
    if [ "$(get phase)" != confirmed ]; then
        [ "$(uname -r)" = "$(get release)" ] || die 4 "the host runs $(uname -r), not $(get release)"
        systemctl is-active --quiet "$unit" || die 4 "the dead man's switch has gone off already: the host is about to reboot"
        systemctl stop "$unit"
        set_default "$(entry_of "$(get release)")"
        put phase confirmed
        sync
    fi
    disarm
    make_menu
    say "$(get release) is the default: $(default_entry)"
}
