//! Where a host stands, as its `where` script tells.

use anyhow::{Context, Result};

/// How far a deploy has come on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// There is none.
    Clear,
    /// It did not come to its boot.
    Halfway,
    /// The host is about to reboot.
    Leaving,
    /// It runs the new kernel, unconfirmed.
    Trial,
    /// It runs the new kernel, for good.
    Confirmed,
    /// It has rebooted, and runs the old kernel.
    Back,
}

/// Where a host stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// How far the deploy is.
    pub word: Word,
    /// The sha256 of the package deployed; `-` if none.
    pub sha256: String,
    /// The release of the kernel that runs.
    pub running: String,
    /// The seconds after which the dead man's switch went off, if it did.
    pub expired: Option<u64>,
}

impl Position {
    /// What `where` said.
    pub fn parse(said: &str) -> Result<Self> {
        let words: Vec<_> = said.split_whitespace().collect();
        let [word, sha256, running, expired] = words[..] else {
            anyhow::bail!("the host's answer makes no sense: {said:?}");
        };
        let word = match word {
            "clear" => Word::Clear,
            "halfway" => Word::Halfway,
            "leaving" => Word::Leaving,
            "trial" => Word::Trial,
            "confirmed" => Word::Confirmed,
            "back" => Word::Back,
            _ => anyhow::bail!("the host's answer makes no sense: {said:?}"),
        };
        let expired = match expired {
            "-" => None,
            seconds => Some(seconds.parse().with_context(|| format!("seconds, in {said:?}"))?),
        };
        Ok(Self { word, sha256: sha256.to_owned(), running: running.to_owned(), expired })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_has_four_words() {
        let position = Position::parse("back 0123 6.1.0-51-amd64 300\n").unwrap();
        assert_eq!((position.word, position.expired), (Word::Back, Some(300)));
        assert_eq!(Position::parse("clear - 6.1 -").unwrap().expired, None);
        for said in ["", "back", "gone - 6.1 -", "back - 6.1 soon", "clear - 6.1 - more"] {
            assert!(Position::parse(said).is_err(), "{said:?}");
        }
    }
}
