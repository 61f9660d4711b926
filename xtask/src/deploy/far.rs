//! What runs on the host: the scripts in `far/`, and the command line that ssh hands to the host's shell.

use std::iter;

/// A script of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script {
    /// The step's name, and the file's in `far/`.
    pub name: &'static str,
    body: &'static str,
}

macro_rules! scripts {
    ($($constant:ident $name:literal,)*) => {
        $(
            #[doc = concat!("`far/", $name, ".sh`")]
            pub const $constant: Script =
                Script { name: $name, body: include_str!(concat!("far/", $name, ".sh")) };
        )*
        #[cfg(test)]
        const ALL: &[Script] = &[$($constant),*];
    };
}

scripts! {
    ACCEPT "accept",
    ARM "arm",
    CHECK "check",
    CONFIRM "confirm",
    DEPART "depart",
    FORMAT "format",
    INSTALL "install",
    PROVE "prove",
    RETREAT "retreat",
    STATUS "status",
    WHERE "where",
    WITHDRAW "withdraw",
}

impl Script {
    /// All of it, for sh's stdin. The call is the last line, so that a part of a script does nothing.
    pub fn text(self) -> String {
        let common =
            [include_str!("far/common.sh"), include_str!("far/loader.sh"), include_str!("far/disarm.sh")];
        common.into_iter().chain([self.body, "step \"$@\" </dev/null; exit\n"]).collect()
    }
}

/// Runs what follows it as root, be it by sudo.
const AS_ROOT: &str = r#"[ "$(id -u)" = 0 ] && exec "$@"
sudo -n true 2>/dev/null && exec sudo -n "$@"
echo "root is needed: let this user sudo without a password, or give root@HOST" >&2
exit 3"#;

/// Takes a package from stdin to where `accept` looks for it.
const TAKE: &str =
    r#"d=${FASTNET_FAR_ROOT-}/var/lib/fastnet/deploy; mkdir -p "$d" && exec cat >"$d/package.part""#;

/// The command line that runs a script from stdin.
pub fn script_line(arguments: &[String]) -> String {
    as_root(["sh", "-s", "--"].into_iter().chain(arguments.iter().map(String::as_str)))
}

/// The command line that takes a package from stdin.
pub fn take_line() -> String {
    as_root(["sh", "-c", TAKE])
}

/// Runs a command within a time. It ends with 1 if that fails: other codes are ssh's and timeout's own.
const WITHIN: &str = r#"timeout "$1" sh -c "$2" && exit
[ $? = 124 ] && echo "not over within $1 s" >&2
exit 1"#;

/// The command line that runs a command of the user's as the user, for at most `seconds`.
pub fn command_line(command: &str, seconds: u64) -> String {
    let words = ["sh", "-c", WITHIN, "sh", &seconds.to_string(), command].map(quoted);
    words.join(" ")
}

fn as_root<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words = ["sh", "-c", AS_ROOT, "sh"].into_iter().chain(words);
    words.map(quoted).collect::<Vec<_>>().join(" ")
}

/// A word for a POSIX shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    iter::once("'".to_owned()).chain([word.replace('\'', r"'\''"), "'".to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn sh(line: &str, input: &str) -> std::process::Output {
        let shell = crate::process::shell("/").unwrap();
        crate::process::converse(shell.cmd("sh").args(["-c", line]), Cursor::new(input.to_owned())).unwrap()
    }

    #[test]
    fn words_reach_the_far_shell_as_they_are() {
        for word in ["", "plain-1.0", "two words", "it's", "$HOME `id` \\ \"", "a\nb", "*"] {
            let said = sh(&format!("printf %s {}", quoted(word)), "");
            assert_eq!(String::from_utf8(said.stdout).unwrap(), word);
        }
    }

    #[test]
    fn a_command_fails_with_one_and_tells_of_its_time() {
        assert!(sh(&command_line("test $((1 + 1)) = 2", 5), "").status.success());
        assert_eq!(sh(&command_line("exit 255", 5), "").status.code(), Some(1));
        let late = sh(&command_line("sleep 100", 1), "");
        assert_eq!((late.status.code(), late.stderr.as_slice()), (Some(1), &b"not over within 1 s\n"[..]));
    }

    #[test]
    fn a_script_cut_anywhere_does_nothing() {
        for script in ALL {
            let text = script.text();
            let last = text.trim_end().rfind('\n').unwrap();
            // Parsed whole, and without the call: no word, no error, nothing done.
            let said = sh("sh -s", &text[..last]);
            assert!(said.status.success() && said.stdout.is_empty(), "{}: {said:?}", script.name);
        }
    }
}
