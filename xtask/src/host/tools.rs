//! The table: every tool, header and library a command leans on, and the package that brings it.

/// What a command is about to do, and so what it needs of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Download a kernel's source over https.
    Fetch,
    /// Configure and compile a kernel.
    Build,
    /// Compile on other hosts.
    Distcc,
    /// Make the kernel's .deb packages and look inside them.
    Deb,
    /// Make the kernel's .rpm packages and look inside them.
    Rpm,
    /// Build at another date.
    Reproduce,
    /// Build the guest's executables and boot a guest.
    Guest,
    /// A shell in the guest.
    Shell,
    /// Make a disk with a distribution on it and boot a machine from it.
    Machine,
    /// Look a patch series over.
    Check,
    /// Lint the scripts and workflows.
    Lint,
    /// Look at the results' page in a browser.
    Browse,
    /// Install a kernel on other hosts.
    Deploy,
}

impl Purpose {
    /// All of them, in the order a kernel meets them.
    pub const ALL: [Self; 13] = [
        Self::Fetch,
        Self::Build,
        Self::Distcc,
        Self::Deb,
        Self::Rpm,
        Self::Reproduce,
        Self::Guest,
        Self::Shell,
        Self::Machine,
        Self::Check,
        Self::Lint,
        Self::Browse,
        Self::Deploy,
    ];
}

/// How to see that something is there without running it.
#[derive(Clone, Copy, Debug)]
pub enum Detect {
    /// A program on PATH or, as not every user's PATH has them, in the system's sbin folders.
    Program(&'static str),
    /// A C header, relative to the compiler's include folders.
    Header(&'static str),
    /// A library, in one of the linker's folders.
    Library(&'static str),
    /// The first of these files that exists.
    File(&'static [&'static str]),
}

/// One thing the host must have.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// What people call it.
    pub name: &'static str,
    /// How to see that it is there.
    pub detect: Detect,
    /// The package of Debian and Ubuntu that brings it.
    pub debian: &'static str,
    /// The package of Fedora that brings it.
    pub fedora: &'static str,
    /// What it is needed for.
    pub purposes: &'static [Purpose],
    /// Things work without it, only slower: installed along with others, never asked for on its own.
    pub optional: bool,
}

impl Tool {
    /// What it is needed for, for people: `deb, rpm`.
    pub fn needed_for(&self) -> String {
        let names: Vec<_> =
            self.purposes.iter().map(|purpose| format!("{purpose:?}").to_lowercase()).collect();
        names.join(", ")
    }
}

const fn tool(
    name: &'static str,
    detect: Detect,
    [debian, fedora]: [&'static str; 2],
    purposes: &'static [Purpose],
) -> Tool {
    Tool { name, detect, debian, fedora, purposes, optional: false }
}

const fn program(name: &'static str, packages: [&'static str; 2], purposes: &'static [Purpose]) -> Tool {
    tool(name, Detect::Program(name), packages, purposes)
}

/// The host's trusted certificates, where Debian and Fedora keep them.
const CERTIFICATES: Detect =
    Detect::File(&["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]);

/// A package of packages; dpkg-buildpackage asks for it by name, where there is a Debian to ask.
const BUILD_ESSENTIAL: Detect = Detect::File(&["/usr/share/build-essential/list", "/etc/redhat-release"]);

/// The firmware of machines that boot from a disk.
const FIRMWARE: Detect = Detect::File(&[
    "/usr/share/OVMF/OVMF_CODE_4M.fd",
    "/usr/share/OVMF/OVMF_CODE.fd",
    "/usr/share/edk2/ovmf/OVMF_CODE.fd",
]);

/// The keys that sign Debian's archive; mmdebstrap takes no other's word.
const DEBIAN_KEYS: Detect = Detect::File(&["/usr/share/keyrings/debian-archive-keyring.gpg"]);

use Purpose::{
    Browse, Build, Check, Deb, Deploy, Distcc, Fetch, Guest, Lint, Machine, Reproduce, Rpm, Shell,
};

/// Everything any command needs beyond Rust's own toolchain, in the order a kernel meets it.
pub const TOOLS: &[Tool] = &[
    tool("certificates", CERTIFICATES, ["ca-certificates", "ca-certificates"], &[Fetch]),
    program("make", ["make", "make"], &[Build]),
    program("gcc", ["gcc", "gcc"], &[Build, Guest]),
    program("ld", ["binutils", "binutils"], &[Build, Guest]),
    program("flex", ["flex", "flex"], &[Build]),
    program("bison", ["bison", "bison"], &[Build]),
    program("bc", ["bc", "bc"], &[Build]),
    program("perl", ["perl", "perl-interpreter"], &[Build]),
    program("awk", ["mawk", "gawk"], &[Build]),
    program("cmp", ["diffutils", "diffutils"], &[Build]),
    program("find", ["findutils", "findutils"], &[Build]),
    program("gzip", ["gzip", "gzip"], &[Build]),
    program("zstd", ["zstd", "zstd"], &[Build]),
    tool("libc headers", Detect::Header("stdlib.h"), ["libc6-dev", "glibc-devel"], &[Build]),
    tool("libelf headers", Detect::Header("gelf.h"), ["libelf-dev", "elfutils-libelf-devel"], &[Build]),
    tool("openssl headers", Detect::Header("openssl/bio.h"), ["libssl-dev", "openssl-devel"], &[Build]),
    Tool { optional: true, ..program("ccache", ["ccache", "ccache"], &[Build]) },
    program("distcc", ["distcc", "distcc"], &[Distcc]),
    program("distccd", ["distcc", "distcc-server"], &[Distcc]),
    program("depmod", ["kmod", "kmod"], &[Deb, Rpm]),
    program("cpio", ["cpio", "cpio"], &[Deb, Rpm]),
    program("rsync", ["rsync", "rsync"], &[Build]),
    program("dpkg-deb", ["dpkg", "dpkg"], &[Deb]),
    program("dpkg-buildpackage", ["dpkg-dev", "dpkg-dev"], &[Deb]),
    tool("build-essential", BUILD_ESSENTIAL, ["build-essential", "gcc-c++"], &[Deb]),
    program("dh", ["debhelper", "debhelper"], &[Deb]),
    program("rpmbuild", ["rpm", "rpm-build"], &[Rpm]),
    program("rpm", ["rpm", "rpm"], &[Rpm]),
    program("faketime", ["faketime", "libfaketime"], &[Reproduce]),
    tool("static libc", Detect::Library("libc.a"), ["libc6-dev", "glibc-static"], &[Guest]),
    program("qemu-system-x86_64", ["qemu-system-x86", "qemu-system-x86-core"], &[Guest, Machine]),
    program("setpriv", ["util-linux", "util-linux"], &[Guest, Machine]),
    program("busybox", ["busybox-static", "busybox"], &[Shell]),
    program("mmdebstrap", ["mmdebstrap", "mmdebstrap"], &[Machine]),
    tool("Debian's keys", DEBIAN_KEYS, ["debian-archive-keyring", "debian-keyring"], &[Machine]),
    program("fakeroot", ["fakeroot", "fakeroot"], &[Machine]),
    program("sgdisk", ["gdisk", "gdisk"], &[Machine]),
    program("mke2fs", ["e2fsprogs", "e2fsprogs"], &[Machine]),
    program("mkfs.fat", ["dosfstools", "dosfstools"], &[Machine]),
    program("mcopy", ["mtools", "mtools"], &[Machine]),
    tool("OVMF", FIRMWARE, ["ovmf", "edk2-ovmf"], &[Machine]),
    program("qemu-img", ["qemu-utils", "qemu-img"], &[Machine]),
    program("ssh", ["openssh-client", "openssh-clients"], &[Machine, Deploy]),
    program("sparse", ["sparse", "sparse"], &[Check]),
    program("python3", ["python3", "python3"], &[Lint]),
    program("pip3", ["python3-pip", "python3-pip"], &[Lint]),
    program("shellcheck", ["shellcheck", "ShellCheck"], &[Lint]),
    program("chromium", ["chromium", "chromium"], &[Browse]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tool_can_be_had_and_is_needed() {
        for tool in TOOLS {
            for package in [tool.debian, tool.fedora] {
                assert!(!package.is_empty() && !package.contains(char::is_whitespace), "{}", tool.name);
            }
            assert!(!tool.purposes.is_empty(), "nothing needs {}", tool.name);
        }
    }

    #[test]
    fn names_are_unique_and_every_purpose_needs_something() {
        for (at, tool) in TOOLS.iter().enumerate() {
            assert!(TOOLS[..at].iter().all(|other| other.name != tool.name), "{} is listed twice", tool.name);
        }
        for purpose in Purpose::ALL {
            assert!(TOOLS.iter().any(|tool| tool.purposes.contains(&purpose)), "{purpose:?}");
        }
    }
}
