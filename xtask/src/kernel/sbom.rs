//! The bill of materials that goes along with packages: CycloneDX 1.5, without a time, the same for the same build.

use anyhow::Result;
use serde_json::{Value, json};

use super::manifest::Manifest;
use super::source::{Origin, SourceTree};
use crate::digest;

/// What COPYING says of the kernel as a whole.
const LICENSE: &str = "GPL-2.0-only WITH Linux-syscall-note";

/// The bill of `manifest`'s packages, made of `source` with `patches`, each a name and a sha256, on it.
pub fn text(source: &SourceTree, patches: &[(String, String)], manifest: &Manifest) -> Result<String> {
    let mut made_of = vec![origin(source)];
    made_of.extend(patches.iter().map(|(name, sha256)| licensed(file(name, sha256), "GPL-2.0-only")));
    made_of.push(file(&format!("config-{}", manifest.release), &manifest.sha256.config));
    let (compiler, version) = manifest.compiler.split_once(' ').unwrap_or((&manifest.compiler, ""));
    made_of.push(json!({ "type": "application", "bom-ref": compiler, "name": compiler, "version": version }));
    let packages: Vec<_> =
        manifest.packages.iter().map(|package| file(&package.name(), &package.sha256)).collect();

    let references =
        |components: &[Value]| components.iter().map(|one| one["bom-ref"].clone()).collect::<Vec<_>>();
    let (parts, names) = (references(&made_of), references(&packages));
    let depends = |name: &Value| json!({ "ref": name, "dependsOn": parts });
    let components = [made_of, packages].concat();
    let mut bill = json!({
        "$schema": "http://cyclonedx.org/schema/bom-1.5.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "tools": { "components": [{ "type": "application", "name": "fastnet" }] },
            "component": licensed(json!({
                "type": "operating-system",
                "bom-ref": "kernel",
                "name": "linux",
                "version": manifest.release,
            }), LICENSE),
        },
        "components": components,
        "dependencies": names.iter().map(depends).collect::<Vec<_>>(),
    });
    bill["serialNumber"] = json!(serial(&bill.to_string()));
    Ok(serde_json::to_string_pretty(&bill)? + "\n")
}

/// The kernel's source.
fn origin(source: &SourceTree) -> Value {
    let mut component = licensed(
        json!({
            "type": "operating-system",
            "bom-ref": "source",
            "name": "linux",
            "version": source.release,
        }),
        LICENSE,
    );
    let hashes = json!([{ "alg": "SHA-256", "content": source.identity }]);
    match &source.origin {
        Origin::Tarball(url) => {
            component["externalReferences"] =
                json!([{ "type": "distribution", "url": url, "hashes": hashes }]);
        }
        Origin::Debian(file) => {
            component["hashes"] = hashes;
            component["purl"] = json!(purl(file));
        }
        Origin::Commit { url, commit } => {
            component["externalReferences"] =
                json!([{ "type": "vcs", "url": url, "comment": format!("commit {commit}") }]);
        }
        Origin::Here => {
            component["description"] = json!("a tree of the machine that this was built on");
            component["properties"] = json!([{ "name": "fastnet:source-sha256", "value": source.identity }]);
        }
    }
    component
}

/// The package URL of a .deb, by its file's name: `NAME_VERSION_ARCHITECTURE.deb`.
fn purl(file: &str) -> String {
    let mut parts = file.trim_end_matches(".deb").split('_');
    let mut part = || parts.next().unwrap_or_default();
    let (name, version, architecture) = (part(), part(), part());
    // In a file's name the colon of an epoch is `%3a`.
    let version = version.replace('+', "%2B").replace("%3a", ":");
    format!("pkg:deb/debian/{name}@{version}?arch={architecture}")
}

fn file(name: &str, sha256: &str) -> Value {
    json!({
        "type": "file",
        "bom-ref": name,
        "name": name,
        "hashes": [{ "alg": "SHA-256", "content": sha256 }],
    })
}

fn licensed(mut component: Value, expression: &str) -> Value {
    component["licenses"] = json!([{ "expression": expression }]);
    component
}

/// A UUID, version 8 of RFC 9562, of a text: other texts have others.
fn serial(text: &str) -> String {
    let hex = digest::sha256(text);
    format!("urn:uuid:{}-{}-8{}-a{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::manifest::{Artifact, Inputs};
    use std::path::PathBuf;

    fn source(origin: Origin) -> SourceTree {
        SourceTree {
            kernel: "6.12".into(),
            dir: PathBuf::from("/linux"),
            identity: "0".repeat(64),
            origin,
            release: "6.12.117".into(),
            patches: PathBuf::new(),
            notice: None,
        }
    }

    fn manifest() -> Manifest {
        let file = |name: &str, digit: &str| Artifact {
            path: PathBuf::from("/made").join(name),
            sha256: digit.repeat(64),
        };
        Manifest {
            kernel: "6.12".into(),
            release: "6.12.117-fastnet".into(),
            flavor: "fastnet".into(),
            config: "distro".into(),
            sha256: Inputs { source: "0".repeat(64), series: "1".repeat(64), config: "2".repeat(64) },
            compiler: "gcc (Debian 12.2.0-14+deb12u1) 12.2.0".into(),
            key: "3".repeat(64),
            bzimage: file("bzImage", "4"),
            vmlinux: file("vmlinux", "5"),
            packages: vec![
                file("linux-image-6.12.117-fastnet_1_amd64.deb", "6"),
                file("kernel-1.x86_64.rpm", "7"),
            ],
        }
    }

    /// ci/lint holds the file to CycloneDX's own schema.
    #[test]
    fn a_bill_is_as_the_one_that_the_schema_holds_for() {
        let patches =
            [("0001-udp.patch".to_owned(), "8".repeat(64)), ("0002-net.patch".to_owned(), "9".repeat(64))];
        let debian = source(Origin::Debian("linux-source-6.12_6.12.117-1~deb12u1+b1_all.deb".into()));
        let text = text(&debian, &patches, &manifest()).unwrap();
        assert_eq!(text, include_str!("sbom.cdx.json"), "{text}");
    }

    #[test]
    fn every_origin_is_told() {
        let bill = |origin| text(&source(origin), &[], &manifest()).unwrap();
        let tarball = bill(Origin::Tarball("https://example.org/linux-6.12.tar.xz".into()));
        assert!(tarball.contains(r#""url": "https://example.org/linux-6.12.tar.xz""#), "{tarball}");
        let commit =
            bill(Origin::Commit { url: "https://example.org/linux.git".into(), commit: "abc".into() });
        assert!(commit.contains(r#""comment": "commit abc""#), "{commit}");
        assert!(bill(Origin::Here).contains("fastnet:source-sha256"));
        assert_ne!(tarball, commit);
    }
}
