# shellcheck shell=sh disable=SC2154
# The old kernel is the default again; the host reboots if it runs the new one.

step() {
    begin
    find_loader
    [ -n "$(get phase)" ] || die 2 "no deploy is known here, so there is nothing to take back"
    before=$(get before)
    entry=$(entry_of "$before")
    [ -n "$entry" ] || die 3 "the boot menu has no entry for $before any more: install that kernel again first"
    put phase under-way
    set_default "$entry"
    set_next ""
    if [ "$(uname -r)" = "$(get release)" ]; then
        reboot_soon
        say "rebooting into $before"
    else
        put left elsewhere
        say "$(uname -r) runs already"
    fi
}
