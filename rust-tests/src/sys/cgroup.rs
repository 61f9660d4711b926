//! A cgroup of a test's own: programs that its sockets meet, memory that is charged to it.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::{Path, PathBuf};

use crate::sys::bpf::{Hook, Insn, Program};

/// Where the runner has mounted the hierarchy.
const ROOT: &str = "/sys/fs/cgroup";
/// Where things are in a `struct bpf_sock_addr`.
const IP4: u8 = 4;
const IP6: u8 = 8;
const PORT: u8 = 24;

/// A cgroup of this process's making.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    folder: File,
}

impl Cgroup {
    /// Makes one, with the memory controller if there is one, and moves this process there: what it makes from now on
    /// belongs to it.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn enter() -> io::Result<Self> {
        let cgroup = Self::make()?;
        join(&cgroup.path)?;
        Ok(cgroup)
    }

    /// Makes one that nobody is in.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn make() -> io::Result<Self> {
        // Without the controller nothing is counted, and a test that looks for the count will say so.
        let _ = fs::write(Path::new(ROOT).join("cgroup.subtree_control"), "+memory");
        let path = Path::new(ROOT).join(format!("test-{}", std::process::id()));
        fs::create_dir(&path)?;
        Ok(Self { folder: File::open(&path)?, path })
    }

    /// The same, and whoever receives there is told that all comes from port 4242 of 10.1.2.3, or of `fd00::7`.
    ///
    /// # Errors
    /// Those of the file system, and of `bpf()`.
    pub fn enter_among_liars() -> io::Result<Self> {
        let cgroup = Self::enter()?;
        for (hook, at, words) in
            [(Hook::RECVMSG4, IP4, &[0x0a01_0203_u32][..]), (Hook::RECVMSG6, IP6, &[0xfd00_0000, 0, 0, 7])]
        {
            let address = words.iter().zip((at..).step_by(4));
            let mut program: Vec<_> =
                address.flat_map(|(word, at)| Insn::store(at, word.to_be().cast_signed())).collect();
            program.extend(Insn::store(PORT, i32::from(4242_u16.to_be())));
            program.extend([Insn::result(1), Insn::exit()]);
            Program::load(hook, &program)?.attach(&cgroup)?;
        }
        Ok(cgroup)
    }

    /// A number of `memory.stat`.
    ///
    /// # Errors
    /// Those of the file.
    pub fn memory(&self, name: &str) -> io::Result<usize> {
        let stat = fs::read_to_string(self.path.join("memory.stat"))?;
        let mut lines = stat.lines().filter_map(|line| line.split_once(' '));
        let value = lines.find(|(key, _)| *key == name).and_then(|(_, value)| value.parse().ok());
        value.ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl AsRawFd for Cgroup {
    fn as_raw_fd(&self) -> RawFd {
        self.folder.as_raw_fd()
    }
}

impl Drop for Cgroup {
    /// A child that is still there keeps it, which harms nobody.
    fn drop(&mut self) {
        let _ = join(Path::new(ROOT)).and_then(|()| fs::remove_dir(&self.path));
    }
}

fn join(path: &Path) -> io::Result<()> {
    fs::write(path.join("cgroup.procs"), std::process::id().to_string())
}
