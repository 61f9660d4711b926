//! Packages, by the kernel's own bindeb-pkg and binrpm-pkg.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::cmd;

use super::build::{Job, KernelBuild};
use super::launcher::Compilers;
use super::make::Make;
use super::manifest::{Artifact, Manifest};
use super::patch::PatchedTree;
use super::{layout, sbom};
use crate::cli::{self, Format};
use crate::digest;
use crate::exit::{Exit, error};
use crate::folder;
use crate::process;

/// What rpmbuild would else say of this host and this hour; a shell reads it.
const RPM_OPTIONS: &str = "--define='_buildhost localhost' --define='use_source_date_epoch_as_buildtime 1' \
                           --define='clamp_mtime_to_source_date_epoch 1'";

/// Packages a build in every format asked for, but for those that were made from the same already.
///
/// The packages are moved to `<tree>/packages-<config>/`, with manifest, SBOM and SHA256SUMS, and into the manifest.
pub fn package(
    tree: &PatchedTree,
    mut build: KernelBuild,
    formats: &[Format],
    compilers: Compilers,
) -> Result<KernelBuild> {
    let has = |manifest: &Manifest, format: Format| {
        manifest.packages.iter().any(|package| is(&package.path, format))
    };
    let missing: Vec<Format> =
        formats.iter().copied().filter(|&format| !has(&build.manifest, format)).collect();
    if missing.is_empty() {
        return Ok(build);
    }
    let folder = layout::packages(&tree.dir, &build.manifest.config);
    if build.manifest.packages.is_empty() {
        folder::remove(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;

    let job = Job::start(&build.dir)?;
    let mut make = Make::new(&tree.dir, &build.dir, compilers)?;
    for format in missing {
        build.manifest.packages.extend(make_one(&mut make, format, &build.manifest.release, &folder)?);
    }
    let image = Artifact::of(build.manifest.bzimage.path.clone())?;
    ensure!(image == build.manifest.bzimage, "packaging made another {}", image.path.display());
    job.done()?;

    build.manifest.packages.sort_by(|a, b| a.path.cmp(&b.path));
    let notes = notes(tree, &build.manifest, &folder)?;
    let sums = build.manifest.packages.iter().chain(&notes).fold(String::new(), |mut sums, file| {
        // Writing to a String cannot fail.
        let _ = writeln!(sums, "{}  {}", file.sha256, file.name());
        sums
    });
    digest::atomic_write(&folder.join("SHA256SUMS"), sums)?;
    verify(&build)?;
    build.manifest.write(&Manifest::path(&build.dir))?;
    Ok(build)
}

/// Writes what goes along with packages: the manifest, and what they are made of. They have the kernel's name, so that
/// those of several can be in one folder.
fn notes(tree: &PatchedTree, manifest: &Manifest, folder: &Path) -> Result<[Artifact; 2]> {
    let name = |kind: &str| folder.join(format!("linux-{}.{kind}.json", manifest.release));
    let (about, parts) = (name("manifest"), name("cdx"));
    manifest.clone().portable().write(&about)?;
    digest::atomic_write(&parts, sbom::text(&tree.source, &tree.patches, manifest)?)?;
    Ok([Artifact::of(about)?, Artifact::of(parts)?])
}

/// Makes the packages of one format and moves them to `folder`.
fn make_one(make: &mut Make<'_>, format: Format, release: &str, folder: &Path) -> Result<Vec<Artifact>> {
    // Where the kernel's makefiles leave them, and what they work in.
    let (target, left, work) = match format {
        Format::Deb => ("bindeb-pkg", make.tree.to_path_buf(), "debian"),
        Format::Rpm => ("binrpm-pkg", make.objtree.join("rpmbuild/RPMS/x86_64"), "rpmbuild"),
    };
    let work = make.objtree.join(work);
    folder::remove(&work)?;
    for leftover in found(&left, |path| is(path, format))? {
        fs::remove_file(leftover)?;
    }

    // KBUILD_BUILD_VERSION is 1, and another would link the kernel anew. For a .deb it is the revision at the end of
    // its version, for an .rpm one more than what .version counted.
    let version = format!("{release}-1");
    let counted = make.objtree.join(".version");
    if counted.exists() {
        fs::remove_file(&counted).with_context(|| format!("removing {}", counted.display()))?;
    }
    let variables = [
        ("KDEB_PKGVERSION", version.as_str()),
        // Else it is that of this host, if lsb_release knows.
        ("KDEB_CHANGELOG_DIST", "unstable"),
        ("RPMOPTS", RPM_OPTIONS),
    ];
    make.run(&format!("packaging {}", cli::name(&format)), None, &[target], &variables)?;

    let mut packages = Vec::new();
    for package in found(&left, |path| is(path, format))? {
        let kept = folder.join(package.file_name().unwrap_or_default());
        fs::rename(&package, &kept)
            .with_context(|| format!("moving {} to {}", package.display(), kept.display()))?;
        packages.push(Artifact::of(kept)?);
    }
    for note in
        found(&left, |path| path.extension().is_some_and(|kind| kind == "changes" || kind == "buildinfo"))?
    {
        fs::remove_file(note)?;
    }
    folder::remove(&work)?;
    ensure!(!packages.is_empty(), "{target} ended well, but left no package in {}", left.display());
    Ok(packages)
}

/// Checks that every package of a build holds what its name promises.
fn verify(build: &KernelBuild) -> Result<()> {
    let release = &build.manifest.release;
    for package in &build.manifest.packages {
        let path = &package.path;
        let shell = process::shell(&build.dir)?;
        let (list, wanted) = if is(path, Format::Deb) {
            (process::read(cmd!(shell, "dpkg-deb --contents {path}"))?, in_deb(&package.name(), release))
        } else {
            (process::read(cmd!(shell, "rpm -qpl {path}"))?, in_rpm(&package.name(), release))
        };
        ensure!(!wanted.is_empty(), "{} is no package that was asked for", path.display());
        for file in wanted {
            if !list.lines().any(|line| line.contains(&file)) {
                return Err(error(Exit::Kernel, format!("{} holds no {file}", path.display())));
            }
        }
    }
    Ok(())
}

/// What a .deb must hold, by its name.
fn in_deb(name: &str, release: &str) -> Vec<String> {
    if name.starts_with(&format!("linux-image-{release}_")) {
        vec![
            format!("/boot/vmlinuz-{release}"),
            format!("/boot/config-{release}"),
            format!("/lib/modules/{release}/"),
        ]
    } else if name.starts_with(&format!("linux-headers-{release}_")) {
        let root = format!("/usr/src/linux-headers-{release}");
        vec![
            format!("{root}/Makefile"),
            format!("{root}/Module.symvers"),
            format!("{root}/include/linux/socket.h"),
        ]
    } else if name.starts_with("linux-libc-dev_") {
        vec!["/usr/include/linux/socket.h".to_owned(), "/asm/unistd_64.h".to_owned()]
    } else {
        Vec::new()
    }
}

/// What an .rpm must hold, by its name.
fn in_rpm(name: &str, release: &str) -> Vec<String> {
    if name.starts_with("kernel-devel-") {
        let root = format!("/usr/src/kernels/{release}");
        vec![
            format!("{root}/Makefile"),
            format!("{root}/Module.symvers"),
            format!("{root}/include/linux/socket.h"),
        ]
    } else if name.starts_with("kernel-headers-") {
        vec!["/usr/include/linux/socket.h".to_owned(), "/usr/include/asm/unistd_64.h".to_owned()]
    } else if name.starts_with("kernel-") {
        vec![format!("/lib/modules/{release}/vmlinuz"), format!("/lib/modules/{release}/modules.order")]
    } else {
        Vec::new()
    }
}

/// Whether `path` is a kernel image's package, by its name.
pub fn is_image(path: &Path, format: Format) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    is(path, format)
        && match format {
            Format::Deb => name.starts_with("linux-image-") && !name.contains("-dbg_"),
            // What modules are built against is kernel-devel, what programs are is kernel-headers.
            Format::Rpm => name
                .strip_prefix("kernel-")
                .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())),
        }
}

/// Whether `path` is the package of what modules are built against.
pub fn are_headers(path: &Path, format: Format) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let start = match format {
        Format::Deb => "linux-headers-",
        Format::Rpm => "kernel-devel-",
    };
    is(path, format) && name.starts_with(start)
}

fn is(path: &Path, format: Format) -> bool {
    path.extension().is_some_and(|kind| kind == cli::name(&format).as_str())
}

/// The files directly in `folder` that `wanted` says yes to; none where there is no folder.
fn found(folder: &Path, wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(Vec::new()) };
    let paths: std::io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
    Ok(paths
        .with_context(|| format!("reading {}", folder.display()))?
        .into_iter()
        .filter(|path| wanted(path))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_told_from_what_lies_beside() {
        let images = |names: &[&str], format| -> Vec<bool> {
            names.iter().map(|name| is_image(Path::new(name), format)).collect()
        };
        let debs =
            ["linux-image-6.12_1_amd64.deb", "linux-image-6.12-dbg_1_amd64.deb", "linux-headers-6.12_1.deb"];
        assert_eq!(images(&debs, Format::Deb), [true, false, false]);
        let rpms = ["kernel-6.12-1.x86_64.rpm", "kernel-devel-6.12-1.x86_64.rpm", "kernel-headers-6.12.rpm"];
        assert_eq!(images(&rpms, Format::Rpm), [true, false, false]);
    }
}
