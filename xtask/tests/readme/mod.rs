//! The README's commands, for the tests that run them.

use std::path::Path;

/// The commands of a section, in order: its indented lines, those that end with a backslash joined to the next.
pub fn of_section(title: &str) -> Vec<String> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let text = std::fs::read_to_string(readme).unwrap();
    let heading = format!("## {title}\n");
    let section = text.split_once(&heading).unwrap_or_else(|| panic!("no `{heading}` in the README")).1;
    let lines = section
        .lines()
        .take_while(|line| !line.starts_with('#'))
        .filter_map(|line| line.strip_prefix("    "));
    let code: String = lines.map(|line| line.trim().to_owned() + "\n").collect();
    code.replace("\\\n", "").lines().map(str::to_owned).collect()
}
