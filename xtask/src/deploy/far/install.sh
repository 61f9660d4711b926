# shellcheck shell=sh disable=SC2154
# Installs the package by the host's own tool.

step() {
    begin
    find_loader
    format=$(get format)
    release=$(get release)
    case $format in
        deb) quietly dpkg --install "$state/package.deb" ;;
        rpm) quietly rpm --install --replacepkgs --oldpackage "$state/package.rpm" ;;
    esac || die 3 "the package did not install"
    [ -e "$root/boot/vmlinuz-$release" ] || [ -e "$root/lib/modules/$release/vmlinuz" ] ||
        die 3 "the package installed, but there is no vmlinuz of $release"
    rm -f "$state/package.$format"
    # Some hooks make what was just installed the default.
    set_default "$(entry_of "$(get before)")"
    [ -n "$(entry_of "$release")" ] || die 3 "the boot menu has no entry for $release: see the hooks in /etc/kernel"
    sync
    say "installed; $(get before) is still the default"
}
