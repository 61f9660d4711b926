//! What went wrong in a build: the compiler's own lines, picked from all that make says.

/// How many lines are shown at most; the log has the rest.
const SHOWN: usize = 60;

/// What the compiler's, the linker's, modpost's, Kconfig's and the shell's errors have in them. Of make's own
/// lines only the one that no other line explains.
const ERRORS: [&str; 6] = [
    "error: ",
    "ERROR: ",
    ": undefined reference to ",
    ": multiple definition of ",
    ": not found",
    "*** No rule to make",
];

/// The lines that tell why a build failed: each error with the lines that lead to it and follow it; where no
/// line looks like an error, the last ones that are not make's.
pub fn extract(lines: &[String]) -> String {
    let mut shown = vec![false; lines.len()];
    for (at, line) in lines.iter().enumerate() {
        if ERRORS.iter().any(|error| line.contains(error)) {
            let leading = lines[..at].iter().rev().take_while(|line| leads(line)).count();
            let following = lines[at + 1..].iter().take_while(|line| follows(line)).count();
            shown[at - leading..=at + following].fill(true);
        }
    }
    let mut picked: Vec<&str> =
        lines.iter().zip(shown).filter(|(_, shown)| *shown).map(|(line, _)| line.as_str()).collect();
    if picked.is_empty() {
        picked = lines.iter().map(String::as_str).filter(|line| !line.starts_with("make")).collect();
        picked.drain(..picked.len().saturating_sub(20));
    }
    let more = picked.len().saturating_sub(SHOWN);
    picked.truncate(SHOWN);
    let rest = if more == 0 { String::new() } else { format!("\n... {more} more such lines") };
    picked.join("\n") + &rest
}

/// Whether a line says where the error after it is.
fn leads(line: &str) -> bool {
    line.starts_with("In file included from ")
        || line.starts_with("                 from ")
        || line.contains(": In function ")
        || line.contains(": in function `")
}

/// Whether a line belongs to the error above it: a note, or the source with its line number and carets.
fn follows(line: &str) -> bool {
    let numbered = line.trim_start_matches([' ', '+']).trim_start_matches(|c: char| c.is_ascii_digit());
    line.contains(": note: ") || line.starts_with(' ') && numbered.trim_start().starts_with('|')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extracted(text: &str) -> String {
        extract(&text.lines().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn an_error_comes_with_its_function_source_and_notes() {
        let compiler = "\
../net/ipv4/udp.c: In function 'udp_recvmsg':
../net/ipv4/udp.c:1890:9: error: implicit declaration of function 'unlikley'; did you mean 'unlikely'?
 1890 |         if (unlikley(flags & MSG_ERRQUEUE))
      |             ^~~~~~~~
      |             unlikely
../net/ipv4/udp.c:1880:9: note: each undeclared identifier is reported only once
cc1: some warnings being treated as errors";
        let said = format!(
            "../a.c:1:1: warning: unused\n{compiler}\nmake[4]: *** [../scripts/Makefile.build:229: net/ipv4/udp.o] Error 1\n\
             make[3]: *** Waiting for unfinished jobs....\n"
        );
        let wanted = compiler.strip_suffix("\ncc1: some warnings being treated as errors").unwrap();
        assert_eq!(extracted(&said), wanted);
    }

    #[test]
    fn the_linkers_and_the_shells_errors_are_found() {
        let linker = "ld: net/socket.o: in function `f':\nsocket.c:(.text+0x1): undefined reference to `g'";
        assert_eq!(extracted(&format!("x\n{linker}\nmake: *** [vmlinux] Error 1")), linker);
        assert_eq!(
            extracted("/bin/sh: 1: flex: not found\nmake: *** Error 127"),
            "/bin/sh: 1: flex: not found"
        );
    }

    #[test]
    fn without_an_error_the_last_words_are_shown() {
        assert_eq!(extracted("one\ntwo\nmake: *** [x] Error 2"), "one\ntwo");
    }

    #[test]
    fn a_thousand_errors_are_counted_not_shown() {
        let text = extracted(&"a.c:1:1: error: no\n".repeat(1000));
        assert_eq!(text.lines().count(), 61);
        assert!(text.ends_with("... 940 more such lines"));
    }
}
