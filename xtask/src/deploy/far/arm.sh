# shellcheck shell=sh disable=SC2154
# One boot on trial: an entry of its own, and a dead man's switch that ends it.

step() { # SECONDS
    begin
    find_loader
    release=$(get release)
    # What reboots a host whose new kernel runs and is not confirmed, be it for a network that never came up. It lives
    # on the root file system alone, and is out of force on every other boot.
    mkdir -p "${unit_file%/*}"
    cat >"$unit_file" <<UNIT
[Unit]
Description=Back to the old kernel, unless fastnet's deploy confirms this one within $1 s
DefaultDependencies=no
IgnoreOnIsolate=yes
ConditionKernelCommandLine=$mark

[Service]
OOMScoreAdjust=-1000
ExecStart=/bin/sh -c 'sleep $1; echo "fastnet: not confirmed within $1 s, rebooting" >/dev/kmsg; (echo $1 >/var/lib/fastnet/deploy/expired) & systemctl reboot; sleep 90; systemctl --force --force reboot & sleep 20; echo b >/proc/sysrq-trigger'

[Install]
WantedBy=sysinit.target
UNIT
    quietly systemctl daemon-reload
    quietly systemctl enable "$unit"

    # panic= is heeded by Debian's initramfs, too, where it finds no root file system; rd.* are dracut's words for that.
    # The hardware's watchdog, where there is one, is systemd's to feed.
    add_trial "$release" "$(get before)" "$mark panic=10 oops=panic softlockup_panic=1 nmi_watchdog=panic \
systemd.watchdog_sec=60 rd.shell=0 rd.emergency=reboot"
    rm -f "$state/expired"
    sync
    set_next "$(trial_entry)"
    [ "$(next_entry)" = "$(trial_entry)" ] || die 3 "$(loader_name) did not take the entry for the next boot"
    sync
    say "the next boot, and that one only, is $release; unconfirmed, it ends after $1 s"
}
