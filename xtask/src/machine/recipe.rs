//! What is on a disk: Debian's packages, and a few files of ours.

use std::path::Path;

use anyhow::{Context, Result};

use crate::digest;

/// Who boots the disk's kernels, and so which distributions the machine stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loader {
    /// GRUB, with initramfs-tools, as Debian sets them up.
    Grub,
    /// systemd-boot and kernel-install, as rpm's distributions have them, with rpm to install by.
    SystemdBoot,
}

/// The distribution's release: mmdebstrap knows where such are, and how they are signed.
pub const SUITE: &str = "bookworm";

/// The root file system's UUID, and its partition's.
pub const ROOT_UUID: &str = "fa57a11d-15c0-4b00-8000-000000000001";
/// The number of the EFI system partition's file system, as mkfs.fat and as mount spell it.
pub const ESP_SERIAL: [&str; 2] = ["FA570001", "FA57-0001"];

/// What a machine says on its console as soon as one can log in.
pub const READY: &str = "fastnet: ready for ssh";

/// A real server's system, its own kernel, and what compiles a module.
const PACKAGES: &str = "systemd-sysv,udev,dbus,openssh-server,iproute2,kmod,e2fsprogs,zstd,initramfs-tools,\
    linux-image-cloud-amd64,gcc,libc6-dev,make,libelf1,dkms";

/// Services that a machine of a few minutes' life can do without: each takes seconds of an emulated CPU.
const MASKED: &str = "apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer \
    systemd-tmpfiles-clean.timer e2scrub_reap.service getty@tty1.service serial-getty@ttyS0.service \
    systemd-logind.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-journal-flush.service systemd-machine-id-commit.service";

impl Loader {
    /// The packages to install, as mmdebstrap takes them.
    pub fn packages(self) -> String {
        let own = match self {
            Self::Grub => "grub-efi-amd64,grub-efi-amd64-signed",
            Self::SystemdBoot => "systemd-boot,rpm",
        };
        format!("{PACKAGES},{own}")
    }

    /// What is done in the root, whose path is `$1`, once packages and files are there. `/boot/efi` becomes the EFI
    /// system partition.
    pub fn hook(self) -> String {
        let loader = match self {
            Self::Grub => {
                "grub-editenv /boot/grub/grubenv create
                 cp /usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed /boot/efi/EFI/BOOT/BOOTX64.EFI"
            }
            // Nothing is mounted here, so kernel-install takes the ESP for a folder of the root's. Debian's hooks ask
            // bootctl whether it is installed, which looks into EFI/systemd.
            Self::SystemdBoot => {
                "mkdir /boot/efi/EFI/systemd
                 cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi /boot/efi/EFI/systemd
                 cp /usr/lib/systemd/boot/efi/systemd-bootx64.efi /boot/efi/EFI/BOOT/BOOTX64.EFI
                 cd /lib/modules
                 for it in *; do kernel-install add $it /boot/vmlinuz-$it /boot/initrd.img-$it; done
                 sed -i s,/boot/efi,, /boot/efi/loader/entries/*"
            }
        };
        format!(
            "chroot \"$1\" sh -ec '
                 systemctl --quiet enable systemd-networkd fastnet-ready
                 systemctl --quiet mask {MASKED}
                 mkdir -p /boot/efi/EFI/BOOT
                 {loader}'"
        )
    }

    /// The files of ours: path without the first `/`, mode, content. `login` may log in as root.
    pub fn files(self, login: &str) -> Vec<(&'static str, u32, String)> {
        let mut files = vec![
            ("root/.ssh/authorized_keys", 0o600, login.to_owned()),
            ("etc/hostname", 0o644, "machine\n".to_owned()),
            ("etc/hosts", 0o644, "127.0.0.1 localhost machine\n".to_owned()),
            ("etc/fstab", 0o644, fstab()),
            ("etc/systemd/network/10-wired.network", 0o644, NETWORK.to_owned()),
            ("etc/systemd/system/fastnet-ready.service", 0o644, ready()),
            ("etc/initramfs-tools/conf.d/small", 0o644, "MODULES=dep\nCOMPRESS=zstd\n".to_owned()),
        ];
        files.extend(match self {
            Self::Grub => vec![
                ("etc/default/grub", 0o644, format!("{GRUB}GRUB_CMDLINE_LINUX=\"{CONSOLE}\"\n")),
                ("boot/grub/grub.cfg", 0o644, first_menu()),
                ("boot/efi/EFI/debian/grub.cfg", 0o644, grub_on_esp()),
            ],
            Self::SystemdBoot => vec![
                ("etc/kernel/install.conf", 0o644, "layout=bls\nBOOT_ROOT=/boot/efi\n".to_owned()),
                ("etc/kernel/entry-token", 0o644, "machine\n".to_owned()),
                ("etc/kernel/cmdline", 0o644, format!("root=PARTUUID={ROOT_UUID} rw {CONSOLE}\n")),
                ("boot/efi/loader/loader.conf", 0o644, "timeout 0\n".to_owned()),
                ("boot/efi/machine/.keep", 0o644, String::new()),
            ],
        });
        files
    }

    /// The sha256 of all that a disk is made from, but for the keys made for it and what day it is in the archive.
    pub fn digest(self) -> String {
        let files = self.files("");
        digest::sha256(format!("{SUITE}{}{}{files:?}{ESP_SERIAL:?}", self.packages(), self.hook()))
    }
}

/// Packs `files` as a tar archive at `archive`, all of them root's.
pub fn pack(files: &[(&str, u32, String)], archive: &Path) -> Result<()> {
    let context = || format!("writing {}", archive.display());
    let mut tar = tar::Builder::new(std::fs::File::create(archive).with_context(context)?);
    for (path, mode, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(*mode);
        tar.append_data(&mut header, path, content.as_bytes()).with_context(context)?;
    }
    tar.finish().with_context(context)
}

/// On the serial line, with little said there: each character costs the guest time. An emulated CPU of a busy host is
/// no timer that does not work.
const CONSOLE: &str = "console=ttyS0 loglevel=6 no_timer_check systemd.show_status=0";

const GRUB: &str = "GRUB_DEFAULT=saved\nGRUB_TIMEOUT=0\nGRUB_TERMINAL=console\nGRUB_DISABLE_OS_PROBER=true\n";

/// Where QEMU's network expects a guest, said outright: asking for it takes time. By name, since a kernel may come with
/// a dummy card, and answers would go there.
const NETWORK: &str = "[Match]\nName=en*\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n\
    LinkLocalAddressing=no\nIPv6AcceptRA=no\n";

fn ready() -> String {
    format!(
        "[Unit]\nWants=network-online.target\n\
         After=network-online.target ssh.service systemd-user-sessions.service\n\n[Service]\nType=oneshot\n\
         ExecStart=/bin/sh -c 'echo \"<4>{READY}\" >/dev/kmsg'\n\n[Install]\nWantedBy=multi-user.target\n"
    )
}

fn fstab() -> String {
    let esp = ESP_SERIAL[1];
    format!("UUID={ROOT_UUID} / ext4 errors=remount-ro 0 1\nUUID={esp} /boot/efi vfat umask=0077 0 2\n")
}

/// What update-grub replaces when the first kernel is installed: it can tell disks apart only on the machine itself.
fn first_menu() -> String {
    format!("linux /vmlinuz root=UUID={ROOT_UUID} ro {CONSOLE}\ninitrd /initrd.img\nboot\n")
}

fn grub_on_esp() -> String {
    format!("search.fs_uuid {ROOT_UUID} root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_of_two_loaders_are_two_disks() {
        assert_ne!(Loader::Grub.digest(), Loader::SystemdBoot.digest());
        assert_eq!(Loader::Grub.digest(), Loader::Grub.digest());
    }

    #[test]
    fn a_packed_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("files.tar");
        pack(&Loader::Grub.files("ssh-ed25519 AAAA"), &archive).unwrap();
        let mut read = tar::Archive::new(std::fs::File::open(archive).unwrap());
        let login = read
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap())
            .find(|entry| entry.path().unwrap().ends_with("authorized_keys"))
            .unwrap();
        assert_eq!((login.header().mode().unwrap(), login.size()), (0o600, 16));
    }
}
