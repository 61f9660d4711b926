//! Which distribution this is, and the commands by which it installs packages.

use std::fs;

use super::tools::Tool;

/// A family of distributions, told apart by who installs packages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distribution {
    /// Debian, Ubuntu and kin: apt-get.
    Debian,
    /// Fedora and kin: dnf.
    Fedora,
    /// Any other: the names of the packages are told, none is installed.
    Other,
}

impl Distribution {
    /// This host's, by `/etc/os-release`.
    pub fn of_host() -> Self {
        let text =
            fs::read_to_string("/etc/os-release").or_else(|_| fs::read_to_string("/usr/lib/os-release"));
        Self::parse(&text.unwrap_or_default())
    }

    /// By the text of an os-release file: the first family that ID, else `ID_LIKE`, names.
    fn parse(os_release: &str) -> Self {
        let value = |key: &str| {
            os_release
                .lines()
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(|value| value.trim_matches(['"', '\'']).to_owned())
                .unwrap_or_default()
        };
        let names = format!("{} {}", value("ID"), value("ID_LIKE"));
        names
            .split_whitespace()
            .find_map(|name| match name {
                "debian" | "ubuntu" => Some(Self::Debian),
                "fedora" | "rhel" => Some(Self::Fedora),
                _ => None,
            })
            .unwrap_or(Self::Other)
    }

    /// The package that brings `tool` here; for an unknown distribution both known names.
    pub fn package(self, tool: &Tool) -> String {
        match self {
            Self::Debian => tool.debian.to_owned(),
            Self::Fedora => tool.fedora.to_owned(),
            Self::Other if tool.debian == tool.fedora => tool.debian.to_owned(),
            Self::Other => format!("{} (Debian) or {} (Fedora)", tool.debian, tool.fedora),
        }
    }

    /// The command lines that install `packages` without a question, in order; none where we can't.
    pub fn install(self, packages: &[String], root: bool) -> Vec<Vec<String>> {
        // Another apt may be at work (a fresh cloud machine updates itself): wait for its lock.
        const APT: &str = "env DEBIAN_FRONTEND=noninteractive apt-get --quiet -o DPkg::Lock::Timeout=300";
        const INSTALL: &str = "-o Dpkg::Use-Pty=0 install --yes --no-install-recommends";
        let lines = match self {
            Self::Debian => {
                vec![format!("{APT} update"), format!("{APT} {INSTALL} {}", packages.join(" "))]
            }
            Self::Fedora => vec![format!("dnf --assumeyes install {}", packages.join(" "))],
            Self::Other => vec![],
        };
        let sudo = if root { "" } else { "sudo " };
        lines.iter().map(|line| format!("{sudo}{line}").split(' ').map(str::to_owned).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_told_apart() {
        let family = Distribution::parse;
        assert_eq!(family("NAME=\"Debian GNU/Linux\"\nID=debian\n"), Distribution::Debian);
        assert_eq!(family("ID=pop\nID_LIKE=\"ubuntu debian\"\n"), Distribution::Debian);
        assert_eq!(family("ID='fedora'\n"), Distribution::Fedora);
        assert_eq!(family("ID=\"almalinux\"\nID_LIKE=\"rhel centos\"\n"), Distribution::Fedora);
        assert_eq!(family("VERSION_ID=debian\nID=arch\n"), Distribution::Other);
        assert_eq!(family(""), Distribution::Other);
    }

    #[test]
    fn apt_is_updated_first_and_never_asks() {
        let lines = Distribution::Debian.install(&["flex".into(), "bc".into()], true);
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].last().unwrap(), "update");
        assert!(lines[1].contains(&"--yes".to_owned()));
        assert_eq!(lines[1][lines[1].len() - 2..], ["flex", "bc"]);
        assert!(lines.iter().all(|line| line.contains(&"DEBIAN_FRONTEND=noninteractive".to_owned())));
    }

    #[test]
    fn who_is_not_root_goes_by_sudo() {
        for family in [Distribution::Debian, Distribution::Fedora] {
            assert!(family.install(&["bc".into()], false).iter().all(|line| line[0] == "sudo"));
            assert!(family.install(&["bc".into()], true).iter().all(|line| line[0] != "sudo"));
        }
    }
}
