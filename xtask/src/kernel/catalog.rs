//! `configs/kernels.toml`: which kernels there are, and where each comes from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use toml::Spanned;

use crate::exit::{self, Classify, Exit};
use crate::workspace::Workspace;

/// The kernels this checkout knows.
#[derive(Debug)]
pub struct Catalog {
    /// Names to try in order where the user names none; each is in `kernels`.
    pub preferred: Vec<String>,
    kernels: BTreeMap<String, Kernel>,
}

/// One kernel of the catalog.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// Its patch folder, relative to the checkout.
    pub patches: PathBuf,
    /// Where its tree comes from.
    pub source: Source,
}

/// Where a tree comes from.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// An archive on the web.
    Tarball(Tarball),
    /// A Debian source package.
    Apt {
        /// For instance `linux-source-6.12`.
        package: String,
    },
    /// One commit of a git repository.
    Git(Git),
    /// A directory or a tarball on this machine, relative to the checkout.
    Path(PathBuf),
}

/// An archive on the web, the same bytes at each address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tarball {
    /// Tried first.
    pub url: String,
    /// Tried next, in order.
    #[serde(default)]
    pub mirrors: Vec<String>,
    /// The archive's digest.
    pub sha256: Hex<64>,
}

impl Tarball {
    /// Its addresses, in the order to try them.
    pub fn urls(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(&self.url).chain(&self.mirrors).map(String::as_str)
    }

    /// The archive's file name.
    pub fn file(&self) -> &str {
        self.url.rsplit('/').next().unwrap_or(&self.url)
    }
}

/// One commit of a git repository.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Git {
    /// `http://`, `https://`, `file://`, or a path.
    pub url: String,
    /// The tag to ask for.
    pub tag: String,
    /// The commit the tag must lead to, as a tarball's digest must hold.
    pub commit: Hex<40>,
}

/// `N` lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Hex<const N: usize>(String);

impl<const N: usize> Hex<N> {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<const N: usize> TryFrom<String> for Hex<N> {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if text.len() == N && text.bytes().all(hex) {
            return Ok(Self(text));
        }
        Err(format!("`{text}` is not {N} lower-case hexadecimal digits"))
    }
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    preferred: Vec<Spanned<String>>,
    kernels: BTreeMap<String, Kernel>,
}

impl Catalog {
    /// Reads the checkout's catalog; an error names the file, the line and what is wrong there.
    pub fn load(workspace: &Workspace) -> Result<Self> {
        let path = workspace.root.join("configs/kernels.toml");
        let text =
            fs::read_to_string(&path).exit(Exit::Usage, || format!("cannot read {}", path.display()))?;
        Self::parse(&path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self> {
        let Text { preferred, kernels } =
            toml::from_str(text).exit(Exit::Usage, || format!("in {}", path.display()))?;
        if preferred.is_empty() {
            return Err(exit::error(Exit::Usage, format!("{}: preferred names no kernel", path.display())));
        }
        if let Some(name) = preferred.iter().find(|name| !kernels.contains_key(name.get_ref())) {
            let line = text[..name.span().start].lines().count().max(1);
            let message = format!(
                "{}:{line}: preferred names `{name}`, but there is no [kernels.\"{name}\"]",
                path.display(),
                name = name.get_ref(),
            );
            return Err(exit::error(Exit::Usage, message));
        }
        Ok(Self { preferred: preferred.into_iter().map(Spanned::into_inner).collect(), kernels })
    }

    /// Every kernel's name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.kernels.keys().map(String::as_str)
    }

    /// The kernel of that name.
    pub fn kernel(&self, name: &str) -> Result<&Kernel> {
        self.kernels.get(name).with_context(|| format!("`{name}` is not in the catalog")).exit(
            Exit::Usage,
            || {
                let known: Vec<_> = self.kernels.keys().map(String::as_str).collect();
                format!("configs/kernels.toml has {}", known.join(", "))
            },
        )
    }
}
