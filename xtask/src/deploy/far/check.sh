# shellcheck shell=sh disable=SC2154
# Whether the host can take the package at all. Changes nothing.

free() { df -Pk "$1" | awk 'NR == 2 { print $4 }'; } # FOLDER: KiB

# KiB where the boot loader looks: what the running kernel takes there, a fifth more, and a little for a menu.
need_in() { # FOLDER
    du -kc "$1"/*"-$(uname -r)"* "$1"/*/"$(uname -r)" 2>/dev/null | awk 'END { print int($1 * 1.2) + 4096 }'
}

# On, too, where what the firmware says of it cannot be read.
secure_boot() {
    variable=SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c
    [ -e "$efivars/$variable" ] && [ "$(firmware $variable | od -An -tu1 | tr -d ' ')" != 0 ]
}

watchdog() {
    for dog in "$root"/sys/class/watchdog/watchdog*; do
        if [ -e "$dog/identity" ]; then cat "$dog/identity"; return; fi
    done
    echo none
}

step() { # FORMAT MACHINE KIB
    running=$(uname -r)
    [ "$(uname -m)" = "$2" ] || die 3 "this host is $(uname -m), the package is for $2"
    [ "$(takes)" = "$1" ] || die 3 "this host takes .$(takes) packages, not .$1: give --package another file"
    [ -d "$root/run/systemd/system" ] ||
        die 3 "no systemd runs here, which is to bring the old kernel back should nobody confirm the new one"
    for tool in flock timeout sha256sum awk; do
        command -v "$tool" >/dev/null || die 3 "$tool is missing: install it"
    done
    command -v perl >/dev/null || command -v python3 >/dev/null ||
        die 3 "neither perl nor python3 is here to make the system call with: install one"
    if secure_boot; then
        die 3 "Secure Boot is on, and would refuse a kernel that nobody signed: turn it off in the firmware (or by mokutil --disable-validation)"
    fi
    if on_trial; then die 3 "$running is itself on trial, from another package: --rollback first"; fi

    find_loader
    doubt=$(loader_doubt)
    [ -z "$doubt" ] || die 3 "$doubt"
    [ -n "$(entry_of "$running")" ] ||
        die 3 "the boot menu has no entry for the running $running, to come back to: make the menu anew (update-grub), or boot a kernel that it has"

    # systemd-boot's kernels are copies, on a partition of its own.
    for boot in "$root/boot" ${entries:+"${entries%/loader/entries}"}; do
        have=$(free "$boot")
        need=$(need_in "$boot")
        [ "$have" -ge "$need" ] ||
            die 3 "$boot has $((have / 1024)) MiB free, a kernel needs $((need / 1024)) MiB: remove an old kernel (apt autoremove --purge, dnf remove --oldinstallonly)"
    done
    room=$(free "$root/var/lib")
    [ "$room" -gt $(($3 * 2)) ] ||
        die 3 "/var/lib has $((room / 1024)) MiB free, the package needs $(($3 * 2 / 1024)) MiB"

    say "$(uname -m), $running, $(loader_name), $((have / 1024)) MiB free in /boot, Secure Boot off"
    case $(watchdog) in
        none) say "no hardware watchdog: a hang before init, without a panic, would need a hand at the console" ;;
        *) say "hardware watchdog: $(watchdog)" ;;
    esac
}
