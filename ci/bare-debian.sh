#!/usr/bin/env bash
# Runs a command of the README where a newcomer does: in a bare Debian 12 with Rust, gcc and git, and no more.
#
#   ci/bare-debian.sh [COMMAND...]        default: cargo xtask test-in-vm --yes
#
# As root. The last commit of this checkout is what runs; the Rust toolchain is this machine's own, read-only.
#   BARE_ROOT     where the Debian lives (default target/bare-debian); remove that folder to start anew
#   BARE_CACHE    a folder to be its ~/.cache (downloads, ccache), to outlive it; without, it starts with none
set -euo pipefail

checkout=$(cd "$(dirname "$0")/.." && pwd)
root=${BARE_ROOT:-$checkout/target/bare-debian}
rustup_home=$(rustup show home)
cargo_bin=$(dirname "$(command -v rustup)")
(cd "$checkout" && cargo --version >/dev/null) # rustup brings the toolchain that rust-toolchain.toml names
[[ $# -gt 0 ]] || set -- cargo xtask test-in-vm --yes

if [[ ! -e $root/bare.complete ]]; then
    rm -rf "$root"
    debootstrap --variant=minbase --include=gcc,libc6-dev,git,ca-certificates bookworm "$root"
    touch "$root/bare.complete"
fi

# The network is this machine's own: its name server, and the authorities it trusts beyond Debian's.
cp /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/usr/local/share/ca-certificates" "$root/root/.rustup" "$root/root/.cargo/bin" "$root/root/.cache"
cp -r /usr/local/share/ca-certificates/. "$root/usr/local/share/ca-certificates/"
chroot "$root" update-ca-certificates >/dev/null

# A clone, so that a file forgotten by `git add` is missed here and not by the newcomer.
commit=$(git -C "$checkout" rev-parse HEAD)
[[ -e $root/root/fastnet ]] || git clone --quiet --no-checkout "$checkout" "$root/root/fastnet"
git -C "$root/root/fastnet" fetch --quiet "$checkout" "$commit"
git -C "$root/root/fastnet" checkout --quiet --detach --force "$commit"

# Runs the command in the Debian, with nothing of this machine's environment but the way to the network.
inside() {
    mount --rbind /dev "$root/dev"
    mount --types proc proc "$root/proc"
    mount --types tmpfs tmpfs "$root/tmp"
    mount --bind --options ro "$rustup_home" "$root/root/.rustup"
    mount --bind --options ro "$cargo_bin" "$root/root/.cargo/bin"
    [[ -z ${BARE_CACHE:-} ]] || mount --bind "$BARE_CACHE" "$root/root/.cache"
    local proxies
    mapfile -t proxies < <(env | grep -iE '^(https?|no|all)_proxy=')
    # shellcheck disable=SC2016 # "$@" is for the inner bash
    exec env --ignore-environment "${proxies[@]}" \
        HOME=/root USER=root LANG=C.UTF-8 TERM="${TERM:-dumb}" RUSTUP_AUTO_INSTALL=0 \
        PATH=/root/.cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        chroot "$root" bash -c 'cd /root/fastnet && exec "$@"' bash "$@"
}

# Namespaces of its own: when the command ends, so do its mounts and whatever it left running.
export root rustup_home cargo_bin
export -f inside
# shellcheck disable=SC2016
exec unshare --mount --pid --fork --kill-child bash -euc 'inside "$@"' bash "$@" </dev/null
