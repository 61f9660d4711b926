# shellcheck shell=sh disable=SC2154
# Takes the package that was copied, if it is the one that was sent, and makes the running kernel the default by name.

release_in() { # FORMAT FILE: of the kernel that the package holds
    case $1 in
        deb) dpkg-deb --fsys-tarfile "$2" | tar -t | sed -n 's|^\(\./\)*boot/vmlinuz-||p' ;;
        rpm) rpm -qpl "$2" | sed -n 's|^/lib/modules/\(.*\)/vmlinuz$|\1|p' ;;
    esac
}

unpacked_size() { # FORMAT FILE: KiB
    case $1 in
        deb) dpkg-deb --field "$2" Installed-Size ;;
        rpm) rpm -qp --queryformat '%{SIZE}' "$2" | awk '{ print int($1 / 1024) }' ;;
    esac
}

package_in() { # FORMAT FILE: as the package manager names it
    case $1 in
        deb) dpkg-deb --field "$2" Package ;;
        rpm) rpm -qp "$2" ;;
    esac
}

step() { # FORMAT SHA256
    begin
    find_loader
    part=$state/package.part
    sum=$(sha256sum "$part" | cut -d' ' -f1)
    if [ "$sum" != "$2" ]; then
        rm -f "$part"
        die 5 "the package arrived with sha256 $sum, not $2: start again"
    fi
    release=$(release_in "$1" "$part")
    [ -n "$release" ] || die 2 "the package holds no kernel (no vmlinuz): give the image's, not the headers'"
    if [ "$release" = "$(uname -r)" ]; then
        die 3 "the host runs $release, and installing over it would leave no kernel to come back to: boot another first, or build with another release"
    fi
    if [ -e "$root/boot/vmlinuz-$release" ] && [ "$(get release)" != "$release" ]; then
        die 3 "the host has a $release already, and not from a deploy: remove that package first"
    fi
    have=$(df -Pk "$root/usr" | awk 'NR == 2 { print $4 }')
    need=$(unpacked_size "$1" "$part")
    [ "$have" -gt "$need" ] || die 3 "/usr has $((have / 1024)) MiB free, the package needs $((need / 1024)) MiB"

    # A deploy that is run again must not take its own doing for what was there before.
    if [ "$(get phase)" != under-way ]; then
        rm -f "$state/left"
        put held "$([ ! -e "$hold" ] || echo yes)"
        put default "$(default_entry)"
    fi
    rm -f "$state/expired"
    put before "$(uname -r)"
    put format "$1"
    put package "$(package_in "$1" "$part")"
    put sha256 "$2"
    put release "$release"
    put phase under-way
    mv "$part" "$state/package.$1"

    # By name, so that installing a newer kernel changes nothing yet.
    set_next ""
    set_default "$(entry_of "$(uname -r)")"
    hold_default
    sync
    say "$(get package) holds $release; $(uname -r) stays the default: $(default_entry)"
}
