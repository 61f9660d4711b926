# shellcheck shell=sh disable=SC2154
# Reboots.

step() {
    begin
    reboot_soon
    say "rebooting"
}
