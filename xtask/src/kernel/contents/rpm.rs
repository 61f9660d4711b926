//! An .rpm: a header of tags, and a cpio archive.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::{Facts, Members};
use crate::digest;
use crate::process;

/// The tags of the header, and the members of the archive.
pub fn members(path: &Path) -> Result<Members> {
    let context = || format!("{} is no sound .rpm", path.display());
    let shell = process::shell("/")?;
    let header = process::read(cmd!(shell, "rpm -qp --nosignature --xml {path}")).with_context(context)?;
    let payload = process::bytes(cmd!(shell, "rpm2cpio {path}")).with_context(context)?;
    let mut members = tags(&header);
    members.extend(in_cpio(&payload).with_context(context)?);
    Ok(members)
}

/// The tags that rpm tells of, in its XML: one element a line, those of a tag's values between its own.
fn tags(xml: &str) -> Members {
    let mut members = Members::new();
    let mut tag = None;
    for line in xml.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("<rpmTag name=\"") {
            let name = format!("tag {}", name.trim_end_matches("\">"));
            tag = Some(members.entry(name).or_default().entry("value").or_default());
        } else if line == "</rpmTag>" {
            tag = None;
        } else if let Some(value) = &mut tag {
            let text = line.split_once('>').map_or(line, |(_, text)| text);
            value.push_str(text.rsplit_once("</").map_or(text, |(text, _)| text));
            value.push('\n');
        }
    }
    members
}

/// The members of a cpio archive in the "newc" format, cpio(5).
fn in_cpio(archive: &[u8]) -> Result<Members> {
    let mut members = Members::new();
    let mut at = 0;
    loop {
        let header = archive.get(at..at + 110).context("a header is cut short")?;
        ensure!(header.starts_with(b"070701") || header.starts_with(b"070702"), "a header is none of cpio's");
        let field = |index: usize| {
            let digits = str::from_utf8(&header[6 + 8 * index..][..8]).ok();
            digits.and_then(|digits| usize::from_str_radix(digits, 16).ok()).context("a field is no number")
        };
        let (mode, size, length) = (field(1)?, field(6)?, field(11)?);
        let name = archive.get(at + 110..at + 110 + length).context("a name is cut short")?;
        let name = String::from_utf8_lossy(name).trim_end_matches('\0').to_owned();
        if name == "TRAILER!!!" {
            return Ok(members);
        }
        // Contents, and the headers behind them, begin at multiples of four.
        let start = (at + 110 + length).next_multiple_of(4);
        let content = archive.get(start..start + size).context("a member is cut short")?;
        let facts = Facts::from([
            ("mode", format!("{mode:06o}")),
            ("owner", format!("{}:{}", field(2)?, field(3)?)),
            ("mtime", field(5)?.to_string()),
            ("sha256", digest::sha256(content)),
        ]);
        members.insert(format!("payload {name}"), facts);
        at = (start + size).next_multiple_of(4);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::contents::differences;
    use std::fs;
    use std::path::PathBuf;

    /// A package with one file of this content and mode, made on this host.
    fn package(dir: &Path, name: &str, content: &str, mode: &str, host: &str) -> PathBuf {
        let top = dir.join(name);
        let spec = dir.join(name).with_extension("spec");
        let text = format!(
            "Name: a\nVersion: 1\nRelease: 1\nSummary: a\nLicense: MIT\nBuildArch: noarch\n%description\na\n\
             %install\nmkdir -p %{{buildroot}}/usr\nprintf {content} > %{{buildroot}}/usr/file\n\
             %files\n%attr({mode}, root, root) /usr/file\n"
        );
        fs::write(&spec, text).unwrap();
        let defines = [
            format!("_topdir {}", top.display()),
            format!("_buildhost {host}"),
            "use_source_date_epoch_as_buildtime 1".to_owned(),
            "clamp_mtime_to_source_date_epoch 1".to_owned(),
        ];
        let defines = defines.iter().flat_map(|define| ["--define", define]);
        let shell = process::shell(dir).unwrap();
        let build = cmd!(shell, "rpmbuild --quiet -bb {defines...} {spec}");
        process::run(build.env("SOURCE_DATE_EPOCH", "1000000000")).unwrap();
        top.join("RPMS/noarch/a-1-1.noarch.rpm")
    }

    #[test]
    fn what_differs_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let one = package(dir.path(), "one", "1", "0644", "here");
        assert_eq!(differences(&one, &package(dir.path(), "same", "1", "0644", "here")).unwrap(), [""; 0]);

        let lines = differences(&one, &package(dir.path(), "two", "2", "0755", "there")).unwrap();
        let (one_is, two_is) = (digest::sha256("1"), digest::sha256("2"));
        let file = format!("payload ./usr/file: mode 100644 -> 100755, sha256 {one_is} -> {two_is}");
        assert!(lines.contains(&file), "{lines:?}");
        assert!(lines.contains(&"tag Buildhost: value here -> there".to_owned()), "{lines:?}");
        assert!(!lines.iter().any(|line| line.starts_with("tag Summary")), "{lines:?}");
    }

    #[test]
    fn what_is_no_package_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let text = dir.path().join("text.rpm");
        fs::write(&text, "text").unwrap();
        let error = differences(&text, &text).unwrap_err();
        assert!(error.to_string().contains("text.rpm is no sound .rpm"), "{error:#}");
    }
}
