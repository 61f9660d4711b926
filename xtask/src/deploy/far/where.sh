# shellcheck shell=sh disable=SC2154
# Where the host stands, in a word: `clear` (no deploy), `halfway` (one that did not come to its boot), `leaving` (about to
# reboot), `trial` (on the new kernel, unconfirmed), `confirmed`, `back` (on the old one). Behind it the package's
# sha256, the running kernel, and the seconds after which the switch went off, if it did; `-` stands for none.

step() {
    running=$(uname -r)
    left=$(get left)
    phase=$(get phase)
    if [ -z "$phase" ]; then
        word=clear
    elif [ "$phase" = confirmed ]; then
        if [ "$running" = "$(get release)" ]; then word=confirmed; else word=clear; fi
    elif [ "$left" = "$(boot_id)" ]; then
        word=leaving
    elif [ "$running" = "$(get release)" ]; then
        word=trial
    elif [ -n "$left" ]; then
        word=back
    else
        word=halfway
    fi
    sha256=$(get sha256)
    expired=$(get expired)
    say "$word ${sha256:--} $running ${expired:--}"
}
