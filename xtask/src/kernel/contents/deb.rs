//! A .deb: an ar archive of two compressed tar archives, deb(5).

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use tar::Archive;
use xshell::cmd;

use super::{Facts, Members};
use crate::digest;
use crate::process;

/// The ar members, and those of the tar archives in them.
pub fn members(path: &Path) -> Result<Members> {
    let context = || format!("{} is no sound .deb", path.display());
    let shell = process::shell("/")?;
    let control = process::bytes(cmd!(shell, "dpkg-deb --ctrl-tarfile {path}")).with_context(context)?;
    let data = process::bytes(cmd!(shell, "dpkg-deb --fsys-tarfile {path}")).with_context(context)?;
    let archive = fs::read(path).with_context(context)?;
    let mut members = in_ar(&archive).with_context(context)?;
    members.extend(in_tar("control", &control).with_context(context)?);
    members.extend(in_tar("data", &data).with_context(context)?);
    Ok(members)
}

fn in_ar(archive: &[u8]) -> Result<Members> {
    let mut members = Members::new();
    let mut rest = archive.strip_prefix(b"!<arch>\n").context("it does not begin as an ar archive")?;
    while !rest.is_empty() {
        let (header, content) = rest.split_at_checked(60).context("a header is cut short")?;
        let field = |from: usize, to: usize| String::from_utf8_lossy(&header[from..to]).trim().to_owned();
        let size: usize = field(48, 58).parse().context("a member's size is no number")?;
        let content_of = content.get(..size).context("a member is cut short")?;
        let facts = Facts::from([
            ("mtime", field(16, 28)),
            ("owner", format!("{}:{}", field(28, 34), field(34, 40))),
            ("mode", field(40, 48)),
            ("sha256", digest::sha256(content_of)),
        ]);
        members.insert(format!("ar {}", field(0, 16)), facts);
        // Members begin at even places.
        rest = content.get(size.next_multiple_of(2)..).unwrap_or_default();
    }
    Ok(members)
}

fn in_tar(part: &str, archive: &[u8]) -> Result<Members> {
    let mut members = Members::new();
    for member in Archive::new(archive).entries()? {
        let mut member = member?;
        let name = format!("{part} {}", member.path()?.display());
        let header = member.header();
        let mut facts = Facts::from([
            ("kind", format!("{:?}", header.entry_type())),
            ("mode", format!("{:04o}", header.mode()?)),
            ("mtime", header.mtime()?.to_string()),
            ("owner", format!("{}:{}", header.uid()?, header.gid()?)),
        ]);
        if let Some(target) = member.link_name()? {
            facts.insert("link", target.display().to_string());
        }
        let mut content = Vec::new();
        member.read_to_end(&mut content)?;
        facts.insert("sha256", digest::sha256(content));
        ensure!(members.insert(name.clone(), facts).is_none(), "{name} is there twice");
    }
    Ok(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::contents::differences;
    use std::fs::{File, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;
    use std::time::{Duration, UNIX_EPOCH};

    /// A package with one file of this content and mode, all of it as old as said.
    fn package(dir: &Path, name: &str, content: &str, mode: u32, age: u64) -> PathBuf {
        let (root, package) = (dir.join(name), dir.join(name).with_extension("deb"));
        let file = |path: &str, text: &str, mode: u32| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            File::open(path).unwrap().set_modified(UNIX_EPOCH + Duration::from_secs(age)).unwrap();
        };
        let control =
            "Package: a\nVersion: 1\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a\n";
        file("DEBIAN/control", control, 0o644);
        // dpkg-deb refuses a folder that a strict or a lax umask has made.
        fs::set_permissions(root.join("DEBIAN"), Permissions::from_mode(0o755)).unwrap();
        file("usr/file", content, mode);
        file("usr/other", "same", 0o644);
        let shell = process::shell(dir).unwrap();
        let epoch = age.to_string();
        let build = cmd!(shell, "dpkg-deb --root-owner-group --build {root} {package}");
        process::run(build.env("SOURCE_DATE_EPOCH", epoch)).unwrap();
        package
    }

    #[test]
    fn what_differs_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let one = package(dir.path(), "one", "1", 0o644, 1000);
        assert_eq!(differences(&one, &package(dir.path(), "same", "1", 0o644, 1000)).unwrap(), [""; 0]);

        let lines = differences(&one, &package(dir.path(), "two", "2", 0o755, 1000)).unwrap();
        let (one_is, two_is) = (digest::sha256("1"), digest::sha256("2"));
        assert_eq!(
            lines.last().unwrap(),
            &format!("data ./usr/file: mode 0644 -> 0755, sha256 {one_is} -> {two_is}")
        );
        assert!(
            lines.iter().any(|line| line.starts_with("ar data.tar.") && !line.contains("mtime")),
            "{lines:?}"
        );
        assert!(!lines.iter().any(|line| line.contains("other")), "{lines:?}");

        let lines = differences(&one, &package(dir.path(), "late", "1", 0o644, 2000)).unwrap();
        assert!(lines.contains(&"data ./usr/file: mtime 1000 -> 2000".to_owned()), "{lines:?}");
        assert!(lines.contains(&"ar debian-binary: mtime 1000 -> 2000".to_owned()), "{lines:?}");
    }

    #[test]
    fn half_a_package_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let whole = package(dir.path(), "whole", "1", 0o644, 1000);
        let half = dir.path().join("half.deb");
        fs::write(&half, &fs::read(&whole).unwrap()[..300]).unwrap();
        let error = differences(&whole, &half).unwrap_err();
        assert!(error.to_string().contains("half.deb is no sound .deb"), "{error:#}");
    }
}
