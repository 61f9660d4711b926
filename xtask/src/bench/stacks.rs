//! Who called whom, from nothing but the addresses of the instructions that were executed.
//!
//! The code in a vmlinux is not quite what runs: the kernel patches its calls through pointers, its static calls and its
//! copies at boot. So little is read from it: what enters a function came by a call, unless there is a jump or a return in
//! vmlinux; and what comes back right behind a call has returned from it, whatever was called.

use std::collections::BTreeMap;

use super::image::Image;

/// A call is not longer, and neither is what is patched over one.
const LONGEST_CALL: u64 = 8;
/// No instruction is longer.
const LONGEST: u64 = 15;

/// A function that has not returned.
struct Frame<'a> {
    function: &'a str,
    /// Where it was called.
    site: u64,
}

/// Adds each instruction of a stretch of the kernel's to the count of its stack.
pub fn fold(image: &Image, stretch: &[u64], counts: &mut BTreeMap<String, u64>) {
    let mut stack: Vec<Frame<'_>> = Vec::new();
    let mut previous = 0;
    let mut here = String::new();
    let mut run = 0;
    for &address in stretch {
        if step(image, &mut stack, previous, address) {
            add(counts, &here, run);
            here = stack.iter().map(|frame| frame.function).collect::<Vec<_>>().join(";");
            run = 0;
        }
        previous = address;
        run += 1;
    }
    add(counts, &here, run);
}

fn add(counts: &mut BTreeMap<String, u64>, stack: &str, run: u64) {
    if run > 0 {
        *counts.entry(stack.to_owned()).or_default() += run;
    }
}

/// Goes from one instruction to the next; whether that is on another stack.
fn step<'a>(image: &'a Image, stack: &mut Vec<Frame<'a>>, from: u64, to: u64) -> bool {
    // A function's cold part has a name of its own.
    let name = |function: &'a str| function.strip_suffix(".cold").unwrap_or(function);
    let function = name(image.function(to).unwrap_or("?"));
    let Some(top) = stack.last_mut() else {
        stack.push(Frame { function, site: 0 });
        return true;
    };
    let next = to.wrapping_sub(from) <= LONGEST;
    let called =
        image.begins(to).is_some_and(|begins| name(begins) == begins) && !next && !leaves(image.code(from));
    if called {
        stack.push(Frame { function, site: from });
        return true;
    }
    let returned = |frame: &Frame<'_>| (1..=LONGEST_CALL).contains(&to.wrapping_sub(frame.site));
    let back = if next && top.function == function { None } else { stack.iter().rposition(returned) };
    if let Some(at) = back {
        stack.truncate(at);
        return true;
    }
    let Some(top) = stack.last_mut().filter(|top| top.function != function) else { return false };
    // A jump from one function into another: who called the one will hear from the other.
    top.function = function;
    true
}

/// Whether the code begins with a jump or a return.
fn leaves(code: &[u8]) -> bool {
    match code {
        [0x70..=0x7f | 0xe9 | 0xeb | 0xc3 | 0xcc, ..] | [0x0f, 0x80..=0x8f, ..] => true,
        // Through a pointer, in a register of the upper eight, too.
        [0xff, kind, ..] | [0x41, 0xff, kind, ..] => matches!((kind >> 3) & 7, 4 | 5),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0xffff_ffff_8100_0000;

    /// outer: call inner; nop; copy (patched to a call); nop; call outer; ret. inner: jmp tail. tail: nop; ret. thunk: ret
    const CODE: [u8; 48] = {
        let mut code = [0x90; 48];
        code[0] = 0xe8;
        code[6] = 0xf3;
        code[12] = 0xe8;
        code[17] = 0xc3;
        code[20] = 0xe9;
        code[31] = 0xc3;
        code[40] = 0xc3;
        code
    };

    fn folded(offsets: &[u64]) -> Vec<(String, u64)> {
        let functions = [(TEXT, "outer"), (TEXT + 20, "inner"), (TEXT + 30, "tail"), (TEXT + 40, "thunk")];
        let image = Image::of(TEXT, &CODE, &functions);
        let mut counts = BTreeMap::new();
        let stretch: Vec<_> = offsets.iter().map(|offset| TEXT + offset).collect();
        fold(&image, &stretch, &mut counts);
        assert_eq!(counts.values().sum::<u64>(), offsets.len() as u64);
        counts.into_iter().collect()
    }

    fn expected(stacks: &[(&str, u64)]) -> Vec<(String, u64)> {
        stacks.iter().map(|&(stack, count)| (stack.to_owned(), count)).collect()
    }

    #[test]
    fn calls_nest_and_return() {
        assert_eq!(folded(&[0, 20, 21, 5, 17]), expected(&[("outer", 3), ("outer;inner", 2)]));
    }

    #[test]
    fn a_jump_to_another_function_takes_its_place() {
        assert_eq!(
            folded(&[0, 20, 30, 31, 5]),
            expected(&[("outer", 2), ("outer;inner", 1), ("outer;tail", 2)])
        );
    }

    #[test]
    fn a_thunk_that_returns_into_a_function_has_called_nothing() {
        assert_eq!(
            folded(&[0, 40, 20, 21, 5]),
            expected(&[("outer", 2), ("outer;inner", 2), ("outer;thunk", 1)])
        );
    }

    #[test]
    fn what_was_patched_to_a_call_is_one() {
        assert_eq!(folded(&[5, 6, 30, 31, 11, 12]), expected(&[("outer", 4), ("outer;tail", 2)]));
    }

    #[test]
    fn a_function_that_calls_itself_is_there_twice() {
        assert_eq!(folded(&[11, 12, 0, 20, 5, 17, 17]).len(), 3);
        let stacks = folded(&[11, 12, 0, 5]);
        assert_eq!(stacks, expected(&[("outer", 2), ("outer;outer", 2)]));
    }

    #[test]
    fn several_returns_at_once_are_followed() {
        assert_eq!(
            folded(&[0, 20, 21, 40, 5]),
            expected(&[("outer", 2), ("outer;inner", 2), ("outer;inner;thunk", 1)])
        );
    }
}
