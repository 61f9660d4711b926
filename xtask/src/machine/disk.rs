//! A disk to boot from, made without booting it and without root: Debian by mmdebstrap, partitions by sgdisk, file
//! systems by mke2fs and mtools.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::cmd;

use super::recipe::{self, ESP_SERIAL, ROOT_UUID, SUITE};
use crate::exit::{Classify, Exit, error};
use crate::folder;
use crate::host::room;
use crate::lock::FileLock;
use crate::process;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

pub use super::recipe::Loader;

/// What making one takes, in bytes: the packages, unpacked and packed, and the image.
const ROOM: u64 = 5 << 30;

/// A disk with Debian, its own kernel and sshd on it. Never written to: each machine has a layer of its own above.
#[derive(Clone, Debug)]
pub struct Disk {
    /// The disk, raw and sparse: a GPT, an EFI system partition, an ext4 root.
    pub image: PathBuf,
    /// The private key with which root can log in.
    pub key: PathBuf,
    /// The public key of its sshd, as `known_hosts` has it behind the host's name.
    pub host_key: String,
}

/// The disk that `loader` boots, made from the distribution's archive unless it is in the cache.
///
/// Fails with [`Exit::Network`] where mmdebstrap does, with its own words.
pub fn obtain(workspace: &Workspace, loader: Loader) -> Result<Disk> {
    let digest = loader.digest();
    let disks = workspace.cache.join("disks");
    fs::create_dir_all(&disks).exit(Exit::Host, || format!("creating {}", disks.display()))?;
    let _lock = FileLock::take(&disks.join(format!("{digest}.lock")), "making a disk")?;
    let folder = disks.join(&digest);
    if !folder.exists() {
        room::require(&disks, ROOM)?;
        let unfinished = disks.join(format!("{digest}.making"));
        folder::remove(&unfinished)?;
        fs::create_dir(&unfinished).exit(Exit::Host, || format!("creating {}", unfinished.display()))?;
        make(loader, &unfinished)?;
        fs::rename(&unfinished, &folder).with_context(|| format!("moving a disk to {}", folder.display()))?;
    }
    let host_key = folder.join("host-key.pub");
    let host_key =
        fs::read_to_string(&host_key).with_context(|| format!("reading {}", host_key.display()))?;
    Ok(Disk { image: folder.join("disk.img"), key: folder.join("key"), host_key: host_key.trim().to_owned() })
}

fn make(loader: Loader, folder: &Path) -> Result<()> {
    let shell = process::shell(folder)?;
    for key in ["key", "host-key"] {
        process::run(cmd!(shell, "ssh-keygen -q -t ed25519 -N '' -C fastnet -f {key}"))?;
    }
    let read = |name: &str| {
        fs::read_to_string(folder.join(name)).with_context(|| format!("reading {name} of ssh-keygen"))
    };
    let mut files = loader.files(&read("key.pub")?);
    files.push(("etc/ssh/ssh_host_ed25519_key", 0o600, read("host-key")?));
    files.push(("etc/ssh/ssh_host_ed25519_key.pub", 0o644, read("host-key.pub")?));
    recipe::pack(&files, &folder.join("files.tar"))?;
    install(loader, folder)?;
    lay_out(folder)?;
    for done in ["files.tar", "root.tar", "host-key"] {
        fs::remove_file(folder.join(done)).with_context(|| format!("removing {done}"))?;
    }
    Ok(())
}

/// Makes `root.tar`: a root with all packages, and our files.
fn install(loader: Loader, folder: &Path) -> Result<()> {
    let shell = process::shell(folder)?;
    let (packages, hook) = (loader.packages(), loader.hook());
    let without =
        ["doc", "man", "locale", "info"].map(|what| format!("--dpkgopt=path-exclude=/usr/share/{what}/*"));
    let command = cmd!(
        shell,
        "mmdebstrap --variant=minbase --include={packages} {without...} --customize-hook='tar-in files.tar /'
            --customize-hook={hook} {SUITE} root.tar"
    );
    let progress = Progress::start("installing Debian on a disk", Unit::Steps, None);
    let mut said = Vec::new();
    let status = process::stream(command, |line| {
        said.push(line.to_owned());
        progress.set(said.len() as u64);
        Ok(())
    })?;
    if !status.success() {
        let last = said.iter().rev().take(10).rev().map(String::as_str).collect::<Vec<_>>().join("\n  ");
        return Err(error(Exit::Network, format!("mmdebstrap ended with {status}:\n  {last}")));
    }
    Ok(())
}

/// Makes `disk.img` of `root.tar`: the ESP from 1 MiB to 256 MiB, the rest up to 3 GiB the root.
///
/// fakeroot lets files be root's without one being root. `/dev` is the kernel's affair.
fn lay_out(folder: &Path) -> Result<()> {
    const FILL: &str = "mkdir root
        tar -C root --exclude './dev/*' -xf root.tar
        mcopy -s -i disk.img@@1M root/boot/efi/* ::
        rm -rf root/boot/efi/*
        mke2fs -q -F -t ext4 -U $0 -E offset=$((256 << 20)) -d root disk.img 2815M
        rm -rf root";
    let shell = process::shell(folder)?;
    let serial = ESP_SERIAL[0];
    process::run(cmd!(shell, "truncate --size 3G disk.img"))?;
    process::run(cmd!(
        shell,
        "sgdisk --new=1:1M:+255M --typecode=1:ef00 --new=2:256M:0 --typecode=2:8300
            --partition-guid=2:{ROOT_UUID} disk.img"
    ))?;
    process::run(cmd!(shell, "mkfs.fat -F 32 -s 1 -i {serial} --offset 2048 disk.img 261120"))?;
    process::run(cmd!(shell, "fakeroot sh -ec {FILL} {ROOT_UUID}"))
}
