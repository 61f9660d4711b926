# shellcheck shell=sh disable=SC2154
# The host as it was before: without the package, the switch and the entry.

forget() {
    rm -rf "$state"
    rmdir "${state%/*}" 2>/dev/null || :
}

step() {
    begin
    find_loader
    if [ "$(get phase)" != under-way ]; then
        # What an earlier deploy left to come back to, if there was one, stays.
        rm -f "$state/package.part"
        if [ -z "$(get phase)" ]; then forget; fi
        say "nothing was changed"
        return
    fi
    release=$(get release)
    [ "$(uname -r)" != "$release" ] || die 3 "$release runs: it can't be removed from under itself"
    own=$(entry_of "$release")
    disarm
    package=$(get package)
    case $(get format) in
        deb)
            if dpkg-query --show "$package" >/dev/null 2>&1; then quietly dpkg --purge "$package"; fi
            ;;
        rpm)
            if rpm --query "$package" >/dev/null 2>&1; then quietly rpm --erase "$package"; fi
            ;;
    esac || die 3 "$package can't be removed; the default is still $(default_entry)"
    # Hooks that failed half-way leave these behind.
    rm -f "$root/boot/initrd.img-$release" "$root/boot/initramfs-$release.img"
    # Only now that the newest kernel is the old one again.
    [ "$(get held)" = yes ] || rm -f "$hold"
    make_menu
    default=$(get default)
    if [ "$default" = "$own" ]; then default=; fi
    set_default "$default"
    forget
    say "the host is as it was before, on $(uname -r)"
}
