# shellcheck shell=sh disable=SC2154
# Reboots.

step() {
    begin
    put left "$(boot_id)"
    sync
    say "rebooting"
    systemctl --no-block reboot
}
