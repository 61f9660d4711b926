//! What a check of a series consists of.

use std::fmt;

use super::warnings::Checker;

/// One step of a check, and one line of its output. Patches are counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// checkpatch on a patch's mail.
    Mail(usize),
    /// What the compiler and sparse say of the source before any patch.
    Stock,
    /// So many patches build, boot and pass.
    Prefix(usize),
    /// The tests that the series itself brings.
    Kselftest,
    /// No warning that stock has not.
    Warnings(Checker),
    /// The whole series, configured otherwise.
    Variant(Variant),
}

/// Another configuration in which the whole series must build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// Without the option that the series adds: the system call is absent.
    Off,
    /// IPv6 as a module, which nothing in the kernel may call by name.
    Ipv6Module,
    /// No IPv6.
    Ipv6Off,
}

impl Variant {
    pub(super) const ALL: [Self; 3] = [Self::Off, Self::Ipv6Module, Self::Ipv6Off];
}

impl Step {
    /// How many patches are on the source, of `whole`.
    pub(super) fn patches(&self, whole: usize) -> usize {
        match self {
            Self::Stock => 0,
            Self::Prefix(number) => *number,
            _ => whole,
        }
    }

    /// Whether a guest decides it.
    pub(super) fn boots(&self) -> bool {
        matches!(self, Self::Prefix(_) | Self::Kselftest | Self::Variant(Variant::Off))
    }

    /// What is configured otherwise.
    pub(super) fn options(&self) -> &'static str {
        match self {
            Self::Variant(Variant::Off) => "# CONFIG_REMEMBER_MMSGHDR is not set\n",
            Self::Variant(Variant::Ipv6Module) => "CONFIG_IPV6=m\n",
            // With what the configuration asks for beside it.
            Self::Variant(Variant::Ipv6Off) => {
                "# CONFIG_IPV6 is not set\n# CONFIG_NF_TABLES_INET is not set\n"
            }
            _ => "",
        }
    }

    /// What tells this kind of step from the others in a record.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Mail(_) => "mail",
            Self::Stock => "stock",
            Self::Prefix(_) => "prefix",
            Self::Kselftest => "kselftest",
            Self::Warnings(Checker::Compiler) => "compiler",
            Self::Warnings(Checker::Sparse) => "sparse",
            Self::Variant(_) => "variant",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail(number) => write!(f, "checkpatch --strict, patch {number}"),
            Self::Stock => f.write_str("the source without a patch"),
            Self::Prefix(1) => f.write_str("patch 1"),
            Self::Prefix(number) => write!(f, "patches 1 to {number}"),
            Self::Kselftest => f.write_str("kselftest in a guest"),
            Self::Warnings(checker) => write!(f, "warnings by {checker}"),
            Self::Variant(Variant::Off) => f.write_str("REMEMBER_MMSGHDR off"),
            Self::Variant(Variant::Ipv6Module) => f.write_str("IPV6=m"),
            Self::Variant(Variant::Ipv6Off) => f.write_str("IPV6=n"),
        }
    }
}
