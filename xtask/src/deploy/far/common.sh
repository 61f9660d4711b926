# shellcheck shell=sh disable=SC2034
# What every step on the host begins with. It is sent over ssh with the step behind it and run by root's sh; the step
# is a function, called in the last line, so that half a script does nothing.
set -eu
# A step that has begun ends, whether or not anyone still listens.
trap '' HUP INT PIPE
export LC_ALL=C DEBIAN_FRONTEND=noninteractive
PATH=$PATH:/usr/sbin:/sbin

root=${FASTNET_FAR_ROOT-} # a folder, where a test plays the host
state=$root/var/lib/fastnet/deploy
unit=fastnet-deadman.service
unit_file=$root/etc/systemd/system/$unit
# On the command line of the one boot on trial, and of no other.
mark=fastnet.trial

say() { echo "$*" || :; }

# die CODE WHY: CODE is the exit code of the whole command.
die() {
    code=$1
    shift
    echo "$*" >&2 || :
    exit "$code"
}

get() { cat "$state/$1" 2>/dev/null || :; }

put() {
    printf '%s\n' "$2" >"$state/$1.new"
    mv "$state/$1.new" "$state/$1"
}

# One step at a time: the one that lost its listener ends first.
begin() {
    mkdir -p "$state"
    exec 9>"$state/lock"
    flock -w 600 9 || die 3 "another deploy has been at work on this host for ten minutes"
}

# The packages that this host is made of; either kind's tools may be a guest on the other's.
takes() {
    if [ -s "$root/var/lib/dpkg/status" ]; then echo deb; elif command -v rpm >/dev/null; then echo rpm; fi
}

boot_id() { cat "$root/proc/sys/kernel/random/boot_id"; }

on_trial() { grep -qw "$mark" "$root/proc/cmdline"; }

# Once our listener has heard how the step ended; a reboot at once would cut it off.
reboot_soon() {
    put left "$(boot_id)"
    sync
    systemd-run --quiet --on-active=1 --timer-property=AccuracySec=100ms systemctl reboot
}

# Runs a tool that has much to say; what it said is shown where it fails.
quietly() {
    if "$@" >"$state/log" 2>&1 9>&-; then return 0; fi
    tail -n 15 "$state/log" >&2 || :
    return 1
}
