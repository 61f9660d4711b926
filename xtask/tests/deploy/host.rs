//! A host that is a folder: its ssh and its tools are shell scripts, its reboot is one, too. What the steps do to it is
//! what they do to a real one, but for the kernel.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::script;

/// The fake host.
pub struct Host {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// What the fake programs are called.
const TOOLS: &[&str] = &[
    "df",
    "dpkg",
    "dpkg-deb",
    "dpkg-query",
    "grub-editenv",
    "grub-probe",
    "id",
    "od",
    "perl",
    "sudo",
    "sync",
    "systemctl",
    "systemd-run",
    "tail",
    "uname",
    "update-grub",
];

impl Host {
    /// A Debian with GRUB that runs 6.1-old, and in whose hands a new kernel will fare as `fate` says.
    pub fn new(fate: &str) -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        for (name, script) in [
            ("ssh/ssh", include_str!("fakes/ssh")),
            ("bin/boot", include_str!("fakes/boot")),
            ("bin/far", include_str!("fakes/far")),
        ] {
            script::put(host.path(name), script);
        }
        for tool in TOOLS {
            symlink("far", host.path(&format!("bin/{tool}"))).unwrap();
        }
        for (name, content) in [
            ("root/boot/vmlinuz-6.1-old", "old"),
            ("root/boot/initrd.img-6.1-old", "old"),
            ("root/boot/grub/grubenv", "saved_entry=what-was\n"),
            ("root/proc/sys/kernel/random/boot_id", "1\n"),
            ("root/proc/cmdline", "ro quiet\n"),
            ("root/etc/grub.d/README", ""),
            ("root/run/systemd/system/x", ""),
            ("root/var/lib/dpkg/status", "Package: dpkg\n"),
            ("package/boot/vmlinuz-6.12-fastnet", "new"),
            ("package/boot/config-6.12-fastnet", "CONFIG_REMEMBER_MMSGHDR=y\n"),
            ("release", "6.1-old\n"),
            ("abstraction", ""),
            ("uid", "0\n"),
            ("fate", fate),
            ("linux-image-6.12-fastnet_1_amd64.deb", "a package"),
        ] {
            host.write(name, content);
        }
        let status = Command::new(host.path("bin/update-grub")).env("FAKE", host.folder.path()).status();
        assert!(status.unwrap().success());
        host
    }

    /// A path in the host's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file there.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    /// What a file there holds; nothing where there is none.
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default().trim().to_owned()
    }

    /// The package that every deploy here is of.
    pub fn package(&self) -> String {
        self.path("linux-image-6.12-fastnet_1_amd64.deb").to_str().unwrap().to_owned()
    }

    /// `cargo xtask deploy fake` with these arguments.
    pub fn xtask(&self, arguments: &[&str]) -> Ended {
        let path = format!("{}:{}", self.path("ssh").display(), std::env::var("PATH").unwrap());
        let output = Command::new(env!("CARGO_BIN_EXE_xtask"))
            .args(["deploy", "fake", "--patience", "0"])
            .args(arguments)
            .env("PATH", path)
            .env("FAKE", self.folder.path())
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Ended { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Deploys the package with these arguments.
    pub fn deploy(&self, arguments: &[&str]) -> Ended {
        self.deploy_within("5", arguments)
    }

    /// Deploys the package, which has so many seconds to prove itself.
    pub fn deploy_within(&self, seconds: &str, arguments: &[&str]) -> Ended {
        self.xtask(&[&["--package", &self.package(), "--within", seconds], arguments].concat())
    }

    /// The release that runs, and the one that the next boot brings.
    pub fn kernels(&self) -> [String; 2] {
        let environment = self.read("root/boot/grub/grubenv");
        let value = |name: &str| {
            let line = environment.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
            line.unwrap_or_default().to_owned()
        };
        let next = value("next_entry");
        let next = if next.is_empty() { value("saved_entry") } else { next };
        [self.read("release"), next]
    }

    /// All files under `root/` that a deploy might touch, with their content.
    pub fn image(&self) -> Vec<(PathBuf, String)> {
        let mut files = Vec::new();
        collect(&self.path("root"), &mut files);
        files.retain(|(path, _)| !path.ends_with("boot_id") && !path.ends_with("cmdline"));
        files.sort();
        files
    }
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push((path.clone(), fs::read_to_string(&path).unwrap()));
        }
    }
}

impl Ended {
    /// Asserts how it ended, and that it said these things.
    #[track_caller]
    pub fn assert(&self, code: i32, said: &[&str]) {
        let all = format!("{}{}", self.stdout, self.stderr);
        assert_eq!(self.code, Some(code), "{all}");
        for part in said {
            assert!(all.contains(part), "no {part:?} in:\n{all}");
        }
    }
}
