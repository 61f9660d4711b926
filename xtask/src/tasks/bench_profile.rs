//! `cargo xtask bench profile`: in which of the kernel's functions a datagram's instructions are spent.

use anyhow::Result;

use crate::bench::plan::{self, Cell, Receiver};
use crate::bench::watch;
use crate::cli::{self, Flavor, KernelArgs};
use crate::exit::{Exit, error};
use crate::host::{self, Purpose};
use crate::kernel;
use crate::workspace::Workspace;

/// A call of more would fill a disk with its log.
const MOST_MESSAGES: u32 = 1000;

/// Runs the command.
pub fn run(workspace: &Workspace, cell: &str, arguments: &KernelArgs) -> Result<()> {
    let cell = find(cell, arguments.flavor.unwrap_or(Flavor::Fastnet))?;
    host::require(&[Purpose::Fetch, Purpose::Build, Purpose::Guest], arguments.yes)?;
    let built = kernel::build_kernel(workspace, arguments)?.manifest;
    for traced in watch::trace(workspace, &built.bzimage.path, &built.vmlinux.path, &[cell])? {
        #[expect(clippy::cast_precision_loss, reason = "counts of a few million")]
        let each = |count: u64| count as f64 / f64::from(traced.datagrams);
        let whole = each(traced.work.instructions);
        println!("Linux {}, {cell}: {whole:.1} instructions a datagram\n", built.release);
        let mut functions: Vec<_> = traced.work.functions.iter().collect();
        functions.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        for (function, count) in functions {
            println!("{:>9.2} {:>5.1} %  {function}", each(*count), 100.0 * each(*count) / whole);
        }
    }
    Ok(())
}

/// The cell of the plan that has this name, if its calls can be followed.
fn find(name: &str, flavor: Flavor) -> Result<Cell> {
    let followed = [Receiver::Recvmsg, Receiver::Recvmmsg, Receiver::Remembered];
    let cells = plan::cells(false, flavor).into_iter();
    let mut cells =
        cells.filter(|cell| followed.contains(&cell.receiver) && cell.shape.messages <= MOST_MESSAGES);
    cells.find(|cell| cell.to_string() == name).ok_or_else(|| {
        let (names, flavor) = ("recvmsg, recvmmsg and remembered", cli::name(&flavor));
        let message = format!(
            "no cell of {names} on {flavor} is called {name}; `bench local --help` tells their names"
        );
        error(Exit::Usage, message)
    })
}
