# shellcheck shell=sh disable=SC2154
# The boot loaders. Each is told in the same words: which entry boots a release, which boots by default, which boots
# once. GRUB's entries are in its menu, or in files (BLS); systemd-boot's are files.

efivars=$root/sys/firmware/efi/efivars
firmware() { # NAME-VENDOR: a variable of the firmware, without its attributes
    # Through a pipe: tail and od seek in files, and these cannot be sought in.
    # shellcheck disable=SC2002
    [ ! -e "$efivars/$1" ] || cat "$efivars/$1" | tail -c +5
}

efi_variable() { firmware "$1-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f" | tr -d '\000'; } # NAME: of the boot loader's

find_loader() {
    case $(efi_variable LoaderInfo) in
        systemd-boot*)
            loader=systemd_boot
            entries=$root$(bootctl --print-boot-path)/loader/entries
            return
            ;;
    esac
    for grub in grub grub2; do
        menu=$root/boot/$grub/grub.cfg
        if [ -e "$menu" ] && command -v "$grub-editenv" >/dev/null; then
            loader=grub
            entries=
            if grep -q '^ *blscfg' "$menu"; then entries=$root/boot/loader/entries; fi
            return
        fi
    done
    die 3 "no boot loader found that boots an entry once: neither GRUB's menu in /boot nor systemd-boot"
}

loader_name() {
    case $loader$entries in
        grub) echo "GRUB" ;;
        grub*) echo "GRUB with entry files" ;;
        *) echo "systemd-boot" ;;
    esac
}

# Why the loader can't be trusted to boot something once, without a hand at the console; nothing where it can.
loader_doubt() {
    [ "$loader" = grub ] || return 0
    if ! below=$("$grub-probe" --target=abstraction "$root/boot/$grub") ||
        ! system=$("$grub-probe" --target=fs "$root/boot/$grub"); then
        echo "$grub-probe cannot tell what /boot/$grub is on"
        return
    fi
    if [ -n "$below" ]; then
        echo "/boot/$grub is on LVM or RAID, where GRUB can't take back what is to be booted once"
    fi
    case $system in
        btrfs | zfs | squash4 | f2fs)
            echo "/boot/$grub is on a file system where GRUB can't take back what is to be booted once"
            ;;
    esac
    # shellcheck disable=SC2016 # GRUB's variable
    grep -q '"${next_entry}"' "$menu" || echo "GRUB's menu knows no entry to boot once (next_entry)"
    if grep -q 'set timeout=-1' "$menu"; then echo "GRUB's menu waits for a key for ever (GRUB_TIMEOUT=-1)"; fi
}

make_menu() {
    if [ -n "$entries" ]; then return 0; fi
    if command -v update-grub >/dev/null; then quietly update-grub; else quietly "$grub-mkconfig" -o "$menu"; fi
}

# What GRUB's grub.cfg calls the entry of a release, as `submenu>entry`; the entry itself where told so.
in_menu() { # RELEASE id|text
    awk -v wanted="gnulinux-$1-advanced-" -v what="$2" '
        function id(line) {
            if (!match(line, /menuentry_id_option .[^ ]+/)) return ""
            line = substr(line, RSTART + 21, RLENGTH - 21)
            gsub(/\047/, "", line)
            return line
        }
        /^submenu / { submenu = id($0) ">" }
        /^[ \t]*menuentry / && index(id($0), wanted) == 1 {
            if (what == "id") { print submenu id($0); exit }
            match($0, /^[ \t]*/)
            last = substr($0, 1, RLENGTH) "}"
            inside = 1
        }
        inside { print }
        inside && $0 == last { exit }
        $0 == "}" { submenu = "" }
    ' "$menu"
}

in_files() { # RELEASE: the file of its entry
    for file in "$entries"/*.conf; do
        case $file in */fastnet-trial.conf) continue ;; esac
        if grep -q "^version[[:space:]]*$1\$" "$file" 2>/dev/null; then
            echo "$file"
            return
        fi
    done
}

# The entry that boots a release, as the loader's own tools name it; nothing if there is none.
entry_of() { # RELEASE
    if [ -z "$entries" ]; then
        in_menu "$1" id
    else
        file=$(in_files "$1")
        file=${file##*/}
        if [ "$loader" = grub ]; then file=${file%.conf}; fi
        echo "$file"
    fi
}

environment() { "$grub-editenv" - list | sed -n "s/^$1=//p"; } # VARIABLE

default_entry() {
    if [ "$loader" = grub ]; then environment saved_entry; else efi_variable LoaderEntryDefault; fi
}

set_default() { # ENTRY: none gives the choice back to the loader
    case $loader:$1 in
        grub:) "$grub-editenv" - unset saved_entry ;;
        grub:*) "$grub-editenv" - set saved_entry="$1" ;;
        *) [ "$1" = "$(default_entry)" ] || bootctl set-default "$1" ;;
    esac
}

next_entry() {
    if [ "$loader" = grub ]; then environment next_entry; else efi_variable LoaderEntryOneShot; fi
}

set_next() { # ENTRY: none for none
    case $loader:$1 in
        grub:) "$grub-editenv" - unset next_entry ;;
        grub:*) "$grub-editenv" - set next_entry="$1" ;;
        *) [ "$1" = "$(next_entry)" ] || bootctl set-oneshot "$1" ;;
    esac
}

# Makes the loader boot its default entry, in place of the newest kernel's, whatever gets installed from now on.
hold=$root/etc/default/grub.d/zz-fastnet.cfg
hold_default() {
    # shellcheck disable=SC2016 # GRUB's variable
    saved='set default="${saved_entry}"'
    if [ "$loader" != grub ] || grep -qF "$saved" "$menu"; then return 0; fi
    if [ -n "$entries" ] || ! command -v update-grub >/dev/null; then
        die 3 "GRUB boots the newest kernel, and not a saved one: set GRUB_DEFAULT=saved in /etc/default/grub, make GRUB's menu anew, and start again"
    fi
    mkdir -p "${hold%/*}"
    echo 'GRUB_DEFAULT=saved # by fastnet deploy: a kernel is the default once it has proved itself' >"$hold"
    make_menu
    grep -qF "$saved" "$menu" || die 3 "GRUB's menu does not heed $hold"
}

# An entry of its own for the boot on trial: the package's, with words behind the kernel's command line.
snippet=$root/etc/grub.d/42_fastnet
add_trial() { # RELEASE BEFORE WORDS
    if [ -n "$entries" ]; then
        sed -e "/^options/ s|\$| $3|" -e 's|^title.*|& (on trial)|' -e '/^sort-key/d' "$(in_files "$1")" \
            >"$entries/fastnet-trial.conf"
        return
    fi
    {
        # shellcheck disable=SC2016 # the script's own variable
        printf '#!/bin/sh\n# By fastnet deploy: one boot on trial, and the kernel before it should this one not even load.\nexec tail -n +4 "$0"\n'
        in_menu "$1" text | renamed fastnet-trial | sed "s|^[[:space:]]*linux.*|& $3|"
        in_menu "$2" text | renamed fastnet-before
        # shellcheck disable=SC2016 # GRUB's variable
        printf 'if [ "${default}" = fastnet-trial ]; then set fallback=fastnet-before; fi\n'
    } >"$snippet"
    chmod 755 "$snippet"
    make_menu
}

renamed() { sed "s/menuentry_id_option [^ ]*/menuentry_id_option '$1'/"; } # ENTRY

trial_entry() { if [ "$loader" = grub ]; then echo fastnet-trial; else echo fastnet-trial.conf; fi; }

# Gone from the menu as soon as that is made anew.
drop_trial() { rm -f "$snippet" ${entries:+"$entries/fastnet-trial.conf"}; }
