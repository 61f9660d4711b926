//! Looking for tools: a handful of stats, nothing is run.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::tools::{Detect, Purpose, TOOLS, Tool};

/// Where to look: taken from the environment once, or made up by a test.
#[derive(Clone, Debug)]
pub struct Folders {
    programs: Vec<PathBuf>,
    headers: Vec<PathBuf>,
    libraries: Vec<PathBuf>,
}

impl Folders {
    /// The folders of this process: `$PATH`, and what gcc and ld search on Debian and on Fedora.
    pub fn of_host() -> Self {
        let triple = format!("{}-linux-gnu", env::consts::ARCH);
        let under = |parents: &[&str], children: &[&str]| {
            parents
                .iter()
                .flat_map(|parent| children.iter().map(|child| Path::new(parent).join(child)))
                .collect::<Vec<_>>()
        };
        // Tools for root live in sbin; kbuild itself looks there for depmod.
        let path = env::var_os("PATH").unwrap_or_default();
        let programs = env::split_paths(&path).filter(|folder| !folder.as_os_str().is_empty()).collect();
        Self {
            programs: [programs, under(&["/usr", "/"], &["sbin"])].concat(),
            headers: under(&["/usr/include", "/usr/local/include"], &["", &triple]),
            libraries: under(&["/usr/lib", "/usr/lib64", "/usr/local/lib"], &["", &triple]),
        }
    }

    /// Where `tool` is, if it is there.
    pub fn find(&self, tool: &Tool) -> Option<PathBuf> {
        match tool.detect {
            Detect::Program(name) => in_any(&self.programs, name).find(|path| is_executable(path)),
            Detect::Header(name) => in_any(&self.headers, name).find(|path| path.is_file()),
            Detect::Library(name) => in_any(&self.libraries, name).find(|path| path.is_file()),
            Detect::File(paths) => paths.iter().map(PathBuf::from).find(|path| path.is_file()),
        }
    }

    /// What `purposes` need and the host lacks, optional tools too, in the table's order.
    pub fn missing(&self, purposes: &[Purpose]) -> Vec<&'static Tool> {
        TOOLS
            .iter()
            .filter(|tool| tool.purposes.iter().any(|purpose| purposes.contains(purpose)))
            .filter(|tool| self.find(tool).is_none())
            .collect()
    }
}

fn in_any<'a>(folders: &'a [PathBuf], name: &'a str) -> impl Iterator<Item = PathBuf> + 'a {
    folders.iter().map(move |folder| folder.join(name))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn only(programs: &Path) -> Folders {
        Folders { programs: vec![programs.to_path_buf()], headers: Vec::new(), libraries: Vec::new() }
    }

    #[test]
    fn a_program_must_be_executable() {
        let folder = tempfile::tempdir().unwrap();
        let flex = TOOLS.iter().find(|tool| tool.name == "flex").unwrap();
        assert!(only(folder.path()).find(flex).is_none());
        let path = folder.path().join("flex");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(only(folder.path()).find(flex).is_none(), "a text file is no tool");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(only(folder.path()).find(flex), Some(path));
    }

    #[test]
    fn only_what_the_purpose_needs_is_missed() {
        let folder = tempfile::tempdir().unwrap();
        let names = |purposes| -> Vec<_> {
            only(folder.path()).missing(purposes).iter().map(|tool| tool.name).collect()
        };
        assert!(names(&[Purpose::Build]).contains(&"bison"));
        assert!(!names(&[Purpose::Build]).contains(&"qemu-system-x86_64"));
        assert!(names(&[Purpose::Guest]).contains(&"static libc"));
        assert!(names(&[]).is_empty());
    }
}
