//! What came of anything that was to be measured.

use serde::{Deserialize, Serialize};

/// Figures, or the reason why there are none.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum Outcome<M> {
    /// It went to its end.
    Measured(M),
    /// It can't be measured there.
    Skipped {
        /// The reason.
        why: String,
    },
    /// Something was lost or wrong, or a guest died.
    Failed {
        /// How it ended, in the words of `test-in-vm`.
        verdict: String,
        /// The reason.
        why: String,
    },
}

impl<M> Outcome<M> {
    /// The figures, if there are any.
    pub fn measured(&self) -> Option<&M> {
        match self {
            Self::Measured(measured) => Some(measured),
            Self::Skipped { .. } | Self::Failed { .. } => None,
        }
    }

    /// Whether something was lost or wrong, or a guest died.
    pub fn failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }
}
