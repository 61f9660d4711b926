# shellcheck shell=sh disable=SC2154
# Takes back what arming did.

disarm() {
    set_next ""
    if [ -e "$unit_file" ]; then
        systemctl disable --now "$unit" >/dev/null 2>&1 || :
        rm -f "$unit_file"
        systemctl daemon-reload
    fi
    drop_trial
}
