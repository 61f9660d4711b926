//! The same by hand: the README's commands for who only wants the packages, on a machine that boots from a disk.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::rehearsal::{good, release};
use crate::cli::Format;
use crate::guest::qemu::Accel;
use crate::machine::disk::{self, Loader};
use crate::machine::running::Machine;
use crate::workspace::Workspace;

#[path = "../../tests/readme/mod.rs"]
mod readme;

/// Of an emulated machine on a busy host.
const PATIENCE: Duration = Duration::from_mins(10);

#[test]
#[ignore = "boots a machine: minutes"]
fn the_readmes_commands_verify_install_boot_and_check() {
    let commands = readme::of_section("Only the packages");
    let [_, verify, install, reboot, check] = commands.as_slice() else { panic!("{commands:#?}") };
    let disk = disk::obtain(&Workspace::locate().unwrap(), Loader::Grub).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let machine = Machine::start(&disk, Accel::Tcg, folder.path()).unwrap();
    machine.wait_for_ssh(PATIENCE).unwrap();
    // Who is root needs no sudo.
    let run =
        |command: &str| machine.ssh().run(&format!("sudo() {{ \"$@\"; }}\n{command}"), PATIENCE).unwrap();

    // As the download leaves them.
    let place = verify.split_whitespace().nth(1).unwrap();
    run(&format!("mkdir -p {place}"));
    let packages = fs::read_dir(good(Format::Deb).parent().unwrap()).unwrap();
    let packages: Vec<PathBuf> = packages.map(|file| file.unwrap().path()).collect();
    let paths: Vec<_> = packages.iter().map(PathBuf::as_path).collect();
    machine.ssh().copy(&paths, place, PATIENCE).unwrap();

    assert!(run(verify).contains(".deb: OK"));
    run(install);
    run(reboot);
    machine.wait_for_ssh(PATIENCE).unwrap();
    let said = run(check);
    assert!(said.starts_with(&release()) && said.contains("remember_mmsghdr"), "{said}");
}
