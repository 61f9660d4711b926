//! Configurations: fragments over a base of the kernel's own, every option checked in what came out.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use walkdir::WalkDir;

use super::layout;
use super::make::Make;
use crate::cli::{self, Config};
use crate::digest::{self, atomic_write};
use crate::exit::{Exit, error};
use crate::workspace::Workspace;

/// In the objtree: what its `.config` was made from. Written last, so without it there is none.
const STATE: &str = ".fastnet-config";

/// A configuration as it is asked for.
#[derive(Debug)]
pub struct Wanted {
    /// Its name on the command line.
    pub name: String,
    base: &'static str,
    fragments: Vec<Fragment>,
}

/// Some options, and where they were asked for.
#[derive(Debug)]
struct Fragment {
    origin: String,
    text: String,
}

impl Wanted {
    /// Reads the fragments of `config`, and adds the options that name the kernel after its flavor.
    pub fn load(workspace: &Workspace, config: Config, flavor: &str) -> Result<Self> {
        let (base, names): (_, &[&str]) = match config {
            Config::Vm => ("tinyconfig", &["vm"]),
            Config::Lean => ("tinyconfig", &["lean"]),
            Config::Off => ("tinyconfig", &["vm", "off"]),
            Config::Debug => ("tinyconfig", &["vm", "debug"]),
            Config::Hints => ("tinyconfig", &["vm", "hints"]),
            Config::Disk => ("tinyconfig", &["vm", "disk"]),
            Config::Distro => ("defconfig", &["distro"]),
        };
        let mut fragments = Vec::new();
        for name in names {
            let origin = format!("configs/{name}.config");
            let text = fs::read_to_string(workspace.root.join(&origin))
                .with_context(|| format!("cannot read the fragment {origin}"))?;
            fragments.push(Fragment { origin, text });
        }
        let local = format!("CONFIG_LOCALVERSION=\"-{flavor}\"\n# CONFIG_LOCALVERSION_AUTO is not set\n");
        fragments.push(Fragment { origin: "xtask".to_owned(), text: local });
        Ok(Self { name: cli::name(&config), base, fragments })
    }

    /// The same, and the options in `text`, which win.
    pub fn with(mut self, text: &str) -> Self {
        self.fragments.push(Fragment { origin: "xtask".to_owned(), text: text.to_owned() });
        self
    }

    /// The sha256 of all that is asked for.
    pub fn sha256(&self) -> String {
        digest::sha256(self.text())
    }

    fn text(&self) -> String {
        let fragments = self.fragments.iter().map(|fragment| fragment.text.as_str());
        [self.base, "\n"].into_iter().chain(fragments).collect()
    }

    /// Makes the `.config`, unless the one there was made from the same: `inputs` is the sha256 of
    /// all else that it depends on.
    ///
    /// Errors name every option that did not take, with the fragment's line.
    pub fn configure(&self, make: &mut Make<'_>, inputs: &str) -> Result<()> {
        let key = digest::sha256(format!("{}{inputs}", self.sha256()));
        let state = make.objtree.join(STATE);
        if fs::read_to_string(&state).is_ok_and(|known| known == key) {
            return Ok(());
        }
        if state.exists() {
            fs::remove_file(&state)?;
        }
        let file = make.objtree.join(".config");
        make.run("configuring", None, &[self.base], &[])?;
        let base = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        atomic_write(&file, base + &self.text()[self.base.len()..])?;
        make.run("configuring", None, &["olddefconfig"], &[])?;
        let config = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let missed = self.missed(&config)?;
        if !missed.is_empty() {
            return Err(error(Exit::Kernel, explain(&missed, make.tree)));
        }
        atomic_write(&state, key)
    }

    /// The options that `config` has otherwise than asked for.
    fn missed(&self, config: &str) -> Result<Vec<Missed>> {
        let mut wanted = BTreeMap::new();
        for fragment in &self.fragments {
            for (index, line) in fragment.text.lines().enumerate() {
                let origin = || format!("{}:{}", fragment.origin, index + 1);
                if let Some((option, value)) =
                    parse(line).map_err(|cause| error(Exit::Kernel, format!("{}: {cause}", origin())))?
                {
                    wanted.insert(option, (value, origin()));
                }
            }
        }
        let got: HashMap<&str, &str> = config.lines().filter_map(|line| parse(line).ok().flatten()).collect();
        let differs = |option: &&str, value: &str| *got.get(*option).unwrap_or(&UNSET) != value;
        let missed = wanted.into_iter().filter(|(option, (value, _))| differs(option, value));
        Ok(missed
            .map(|(option, (value, origin))| Missed {
                option: option.to_owned(),
                wanted: value.to_owned(),
                got: got.get(option).map(|&got| got.to_owned()),
                origin,
            })
            .collect())
    }
}

/// What an option that is not set has in place of a value.
const UNSET: &str = "not set";

/// An option that did not take.
#[derive(Debug, PartialEq, Eq)]
struct Missed {
    option: String,
    wanted: String,
    got: Option<String>,
    origin: String,
}

/// The option and the value of a line, if it has one.
fn parse(line: &str) -> std::result::Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    let unset = line.strip_prefix("# ").and_then(|line| line.strip_suffix(" is not set"));
    if let Some(option) = unset.filter(|option| option.starts_with("CONFIG_")) {
        return Ok(Some((option, UNSET)));
    }
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    match line.split_once('=') {
        Some((option, "n")) if option.starts_with("CONFIG_") => Ok(Some((option, UNSET))),
        Some((option, value)) if option.starts_with("CONFIG_") && !value.is_empty() => {
            Ok(Some((option, value)))
        }
        _ => Err(format!("`{line}` is neither CONFIG_X=value nor `# CONFIG_X is not set`")),
    }
}

/// One line an option that did not take, with what may help.
fn explain(missed: &[Missed], tree: &Path) -> String {
    let known = symbols(tree);
    let mut text = format!("{} of the options asked for did not take:", missed.len());
    for Missed { option, wanted, got, origin } in missed {
        let symbol = option.trim_start_matches("CONFIG_");
        let became = match got {
            Some(got) => format!("it became {got}"),
            None if known.contains(symbol) => "what it depends on is not set".to_owned(),
            None => "no Kconfig file of this kernel knows it".to_owned(),
        };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n  {origin}: {option}={wanted}: {became}");
    }
    text
}

/// Every symbol that the tree's Kconfig files define.
fn symbols(tree: &Path) -> std::collections::HashSet<String> {
    let ours = |entry: &walkdir::DirEntry| entry.path().strip_prefix(tree).is_ok_and(layout::is_ours);
    WalkDir::new(tree)
        .into_iter()
        .filter_entry(|entry| !ours(entry))
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("Kconfig"))
        .filter_map(|entry| fs::read_to_string(entry.path()).ok())
        .flat_map(|text| text.lines().filter_map(symbol).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn symbol(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("config ").or_else(|| line.strip_prefix("menuconfig ")).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missed(fragments: &[&str], config: &str) -> Vec<String> {
        let fragments = fragments.iter().zip(["one", "two"]);
        let fragments =
            fragments.map(|(text, origin)| Fragment { origin: origin.into(), text: (*text).into() });
        let wanted = Wanted { name: "vm".into(), base: "tinyconfig", fragments: fragments.collect() };
        let missed = wanted.missed(config).unwrap().into_iter();
        missed.map(|missed| format!("{} {}={:?}", missed.origin, missed.option, missed.got)).collect()
    }

    #[test]
    fn every_kind_of_value_is_checked() {
        let config = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_S=\"-x y\"\nCONFIG_N=64\n";
        assert!(missed(&[config, "# CONFIG_GONE is not set\nCONFIG_C=n\n"], config).is_empty());
        assert_eq!(
            missed(&["CONFIG_B=y\nCONFIG_C=y\n# CONFIG_A is not set\nCONFIG_D=y\nCONFIG_N=65\n"], config),
            [
                "one:3 CONFIG_A=Some(\"y\")",
                "one:1 CONFIG_B=Some(\"m\")",
                "one:2 CONFIG_C=Some(\"not set\")",
                "one:4 CONFIG_D=None",
                "one:5 CONFIG_N=Some(\"64\")",
            ]
        );
    }

    #[test]
    fn the_last_fragment_wins() {
        assert!(missed(&["CONFIG_A=y\n", "# CONFIG_A is not set\n"], "").is_empty());
        assert_eq!(missed(&["# CONFIG_A is not set\n", "CONFIG_A=y\n"], ""), ["two:1 CONFIG_A=None"]);
    }

    #[test]
    fn a_line_that_is_no_option_is_refused() {
        for line in ["A=y", "CONFIG_A", "CONFIG_A=", "CONFIG_A y"] {
            assert!(parse(line).is_err(), "{line}");
        }
        assert_eq!(parse("# CONFIG_A is set elsewhere"), Ok(None));
    }
}
