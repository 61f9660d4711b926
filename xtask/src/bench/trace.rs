//! What a guest's kernel executes, instruction by instruction: QEMU's log of it, read with the kernel's image beside.

use std::collections::BTreeMap;
use std::io::BufRead;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::image::Image;
use super::stacks;

/// Where the kernel's half of the address space begins.
const KERNEL: u64 = 0xffff_8000_0000_0000;

/// The addresses of the instructions that QEMU's log of `exec` tells of, where each is a block of its own.
pub fn read(log: impl BufRead) -> Result<Vec<u64>> {
    let mut addresses = Vec::new();
    for line in log.split(b'\n') {
        let line = String::from_utf8_lossy(&line.context("reading QEMU's log")?).into_owned();
        if line.starts_with("Trace ") {
            // Trace 0: 0x7f22c0000100 [00000000/ffffffff81000000/00000000/ff000000] name
            let address = line.split('/').nth(1).with_context(|| format!("`{line}` has no address"))?;
            addresses.push(u64::from_str_radix(address, 16).with_context(|| format!("`{line}`"))?);
        } else if line.starts_with("Stopped execution of TB chain before ") {
            // It was told of before something came in between, and will be again.
            addresses.pop();
        }
    }
    Ok(addresses)
}

/// The stretch from an entry into the kernel to its return in which `function` is entered; none if an interrupt came
/// into it.
pub fn call<'a>(trace: &'a [u64], image: &Image, function: &str) -> Result<Option<&'a [u64]>> {
    let entry = image.address(function).with_context(|| format!("the kernel has no {function}"))?;
    let interrupts = ["asm_sysvec_", "asm_common_interrupt", "irq_entries_start", "asm_exc_nmi"];
    let is_interrupt = |address: &u64| {
        image.function(*address).is_some_and(|name| interrupts.iter().any(|start| name.starts_with(start)))
    };
    let mut stretches = trace.split(|address| *address < KERNEL);
    let call = stretches.find(|stretch| stretch.contains(&entry));
    let call = call.with_context(|| format!("{function} was not called"))?;
    Ok((!call.iter().any(is_interrupt)).then_some(call))
}

/// What was executed.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub struct Work {
    /// All instructions.
    pub instructions: u64,
    /// Of them, conditional jumps.
    pub branches: u64,
    /// Of those, the ones that did not fall through.
    pub taken: u64,
    /// The instructions by the functions that called each other, outermost first: `do_syscall_64;__sys_recvmmsg`.
    pub stacks: BTreeMap<String, u64>,
}

impl Work {
    /// Adds a stretch of the kernel's.
    pub fn add(&mut self, image: &Image, stretch: &[u64]) {
        self.instructions += stretch.len() as u64;
        for pair in stretch.windows(2) {
            if let Some(length) = image.conditional(pair[0]) {
                self.branches += 1;
                self.taken += u64::from(pair[1] != pair[0] + length);
            }
        }
        stacks::fold(image, stretch, &mut self.stacks);
    }

    /// The instructions by function, whoever called it.
    pub fn functions(&self) -> BTreeMap<&str, u64> {
        let mut functions = BTreeMap::new();
        for (stack, count) in &self.stacks {
            *functions.entry(stack.rsplit(';').next().unwrap_or(stack)).or_default() += count;
        }
        functions
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: u64 = 0xffff_ffff_8100_0000;

    /// je +1; nop; jmp +0; jne +0 (long); ret
    const CODE: [u8; 12] = [0x74, 0x01, 0x90, 0xeb, 0x00, 0x0f, 0x85, 0, 0, 0, 0, 0xc3];

    fn image() -> Image {
        Image::of(TEXT, &CODE, &[(TEXT, "receive"), (TEXT + 11, "asm_sysvec_timer")])
    }

    #[test]
    fn a_log_is_read_and_what_did_not_run_is_taken_back() {
        let log = "\
Trace 0: 0x7f1 [00000000/ffffffff81000000/00000000/ff000000] receive
Trace 0: 0x7f2 [00000000/ffffffff81000003/00000000/ff000000] receive
Stopped execution of TB chain before 0x7f2 [ffffffff81000003] receive
Trace 0: 0x7f2 [0000000000000000/ffffffff81000003/00000000/ff000000] receive
cpu_io_recompile: rewound execution of TB to ffffffff81000003
";
        assert_eq!(read(log.as_bytes()).unwrap(), [TEXT, TEXT + 3]);
        assert!(read(&b"Trace 0: 0x7f1 [\n"[..]).is_err());
    }

    #[test]
    fn only_conditional_jumps_are_branches() {
        let counted = |offsets: &[u64]| {
            let mut work = Work::default();
            work.add(&image(), &offsets.iter().map(|offset| TEXT + offset).collect::<Vec<_>>());
            (work.instructions, work.branches, work.taken)
        };
        assert_eq!(counted(&[0, 2, 3, 5, 11]), (5, 2, 0));
        assert_eq!(counted(&[0, 3, 5, 11]), (4, 2, 1));
    }

    #[test]
    fn a_call_is_told_from_other_entries_and_from_an_interrupted_one() {
        let user = 0x40_0000;
        let of = |trace: &[u64], function| {
            call(trace, &image(), function).map(|call| call.map(<[u64]>::to_vec)).map_err(|e| e.to_string())
        };
        let trace = [TEXT + 3, user, TEXT + 2, user, TEXT, TEXT + 3, user, TEXT + 2];
        assert_eq!(of(&trace, "receive"), Ok(Some(vec![TEXT, TEXT + 3])));
        assert_eq!(of(&[user, TEXT, TEXT + 11, TEXT + 3, user], "receive"), Ok(None));
        assert_eq!(of(&trace[..4], "receive"), Err("receive was not called".to_owned()));
        assert_eq!(of(&trace, "send"), Err("the kernel has no send".to_owned()));
    }

    #[test]
    fn instructions_are_their_functions() {
        let mut work = Work::default();
        work.add(&image(), &[TEXT, TEXT + 11, TEXT + 2, TEXT + 3]);
        let expected = [("asm_sysvec_timer", 1), ("receive", 3)];
        assert_eq!(work.functions(), expected.into());
    }
}
