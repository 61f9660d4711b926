//! How a command ends: the exit codes that scripts and CI lean on.

use std::fmt;

/// Why a command failed, as far as its exit code tells. The codes are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A test failed, timed out, or ran while the kernel complained.
    Tests = 1,
    /// The command line, or a file it names, makes no sense.
    Usage = 2,
    /// The host lacks a tool, a header, room on a disk or a permission, or fails in a way that nobody foresaw.
    Host = 3,
    /// The guest died: panic, hang, lost, or its runner failed.
    Guest = 4,
    /// The network failed, or what it brought is not what was promised.
    Network = 5,
    /// No kernel came out: a patch does not apply, an option did not take, the compiler refused.
    Kernel = 6,
    /// The user stopped it.
    Interrupted = 130,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The class of an error: that of the outermost [`Classify::exit`] in its chain, if anybody gave it one.
    pub fn class(error: &anyhow::Error) -> Option<Self> {
        error.downcast_ref::<Classified>().map(|classified| classified.exit)
    }

    /// The code for an error: that of its class. What has none is what nobody foresaw, of the host: no test has failed.
    pub fn of(error: &anyhow::Error) -> u8 {
        Self::class(error).unwrap_or(Self::Host).code()
    }
}

/// An error message that carries its exit code through anyhow's context chain.
#[derive(Debug)]
struct Classified {
    exit: Exit,
    message: String,
}

impl fmt::Display for Classified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// An error of class `exit` that says `message`: name the file, the cause and the fix.
pub fn error(exit: Exit, message: impl fmt::Display) -> anyhow::Error {
    anyhow::Error::new(Classified { exit, message: message.to_string() })
}

/// The end of a command that has told the user all there is to tell: `main` adds nothing.
pub fn said(exit: Exit) -> anyhow::Error {
    error(exit, "")
}

impl std::error::Error for Classified {}

/// Adds a message and an exit code to any error.
pub trait Classify<T> {
    /// Wraps the error as `message`, ending the process with `exit` if it reaches `main`.
    fn exit(self, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T>;
}

impl<T, E> Classify<T> for Result<T, E>
where
    Result<T, E>: anyhow::Context<T, E>,
{
    fn exit(self, exit: Exit, message: impl FnOnce() -> String) -> anyhow::Result<T> {
        anyhow::Context::with_context(self, || Classified { exit, message: message() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn the_outermost_class_decides() {
        let inner: anyhow::Result<()> = Err(error(Exit::Network, "404"));
        let outer = inner.exit(Exit::Host, || "no room".into()).context("fetching").unwrap_err();
        assert_eq!(Exit::of(&outer), 3);
        assert_eq!(format!("{outer:#}").matches("404").count(), 1);
    }

    #[test]
    fn an_unclassified_error_is_the_hosts() {
        assert_eq!(Exit::of(&anyhow::anyhow!("odd").context("reading")), 3);
    }
}
