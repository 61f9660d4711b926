//! What a patched tree holds beside the source.

use std::path::{Component, Path, PathBuf};

/// A file that says what the tree holds. Without it the tree may be half a copy.
pub const STATE: &str = ".fastnet-tree";

/// How the names of what is ours in a tree's root begin.
pub const OURS: [&str; 3] = [STATE, OBJTREE, PACKAGES];

const OBJTREE: &str = "O-";
const PACKAGES: &str = "packages-";

/// Whether a path in the tree is ours, not the source's.
pub fn is_ours(path: &Path) -> bool {
    match path.components().next() {
        Some(Component::Normal(first)) => {
            first.to_str().is_some_and(|first| OURS.iter().any(|ours| first.starts_with(ours)))
        }
        _ => false,
    }
}

/// Where a configuration is built: a direct subfolder of the tree, because there kbuild uses relative
/// paths, and its output is the same in every checkout.
pub fn objtree(tree: &Path, config: &str) -> PathBuf {
    tree.join(format!("{OBJTREE}{config}"))
}

/// Where a configuration's packages are kept.
pub fn packages(tree: &Path, config: &str) -> PathBuf {
    tree.join(format!("{PACKAGES}{config}"))
}
