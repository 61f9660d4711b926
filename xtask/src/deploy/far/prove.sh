# shellcheck shell=sh disable=SC2154
# That this is the new kernel, on trial, with the system call it was built for.

has_call() {
    for config in "$root/boot/config-$1" "$root/lib/modules/$1/config"; do
        if grep -q '^CONFIG_REMEMBER_MMSGHDR=y' "$config" 2>/dev/null; then return 0; fi
    done
    return 1
}

# EBADF is the call's own word for descriptor -1, where a kernel without it says ENOSYS.
call() {
    if command -v perl >/dev/null; then
        perl -e 'syscall(600, -1, 0, 0, 0); exit($! + 0 != 9)'
    else
        python3 -c 'import ctypes; libc = ctypes.CDLL(None, use_errno=True); libc.syscall(600, -1, 0, 0, 0); raise SystemExit(ctypes.get_errno() != 9)'
    fi
}

step() { # SECONDS
    begin
    find_loader
    release=$(get release)
    [ "$(uname -r)" = "$release" ] || die 4 "the host runs $(uname -r), not $release"
    [ "$(boot_id)" != "$(get left)" ] || die 4 "the host has not rebooted"
    on_trial || die 4 "$release was not booted by the entry on trial"
    [ -z "$(next_entry)" ] || die 4 "the boot loader has not taken the entry back: its next boot would be $(next_entry) again"
    systemctl is-active --quiet "$unit" || die 4 "the dead man's switch ($unit) does not run"
    if has_call "$release"; then
        call || die 4 "remember_mmsghdr() does not answer, though $release was built with it"
        answer="remember_mmsghdr() answers"
    else
        answer="built without remember_mmsghdr()"
    fi
    # What is still starting has not failed yet.
    timeout "$1" systemctl is-system-running --wait >/dev/null 2>&1 || :
    say "$(uname -r), booted anew; $answer"
}
