//! `cargo xtask bench hints`: whether each branch hint of the patches is right, and what they save.

use std::iter;
use std::path::Path;

use anyhow::Result;

use crate::bench::cell::{BASE, Cell, Family, Mix, Receiver, Shape, Size};
use crate::bench::hints::{self, Count, Evidence, Hint, Judged, Seen};
use crate::bench::ledger::Ledger;
use crate::bench::profile::Profile;
use crate::bench::watch;
use crate::cli::{Config, Flavor, KernelArgs, PatchArgs};
use crate::exit::{Exit, error};
use crate::host::{self, Purpose};
use crate::kernel::manifest::Manifest;
use crate::kernel::series::Series;
use crate::kernel::{self, source};
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &PatchArgs, json: Option<&Path>) -> Result<()> {
    let mut ledger = Ledger::open(json)?;
    host::require(&[Purpose::Fetch, Purpose::Build, Purpose::Guest], arguments.yes)?;
    let evidence = judge(workspace, arguments)?;
    ledger.add(evidence.clone())?;
    for profile in compare(workspace, arguments)? {
        ledger.add(profile)?;
    }
    ledger.finish(|_| None::<()>)?;
    let judged = evidence.judged;
    let wrong: Vec<_> = judged.wrong().map(|hint| format!("\n  {}", place(hint))).collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let message = format!("{} hints are wrong more often than right:{}", wrong.len(), wrong.concat());
    Err(error(Exit::Tests, message))
}

/// Counts how often each hint is right, and shows it.
fn judge(workspace: &Workspace, arguments: &PatchArgs) -> Result<Evidence> {
    let source = source::obtain(workspace, &KernelArgs::from(arguments))?;
    let added = hints::added(Series::load(&source.patches)?.all(), &source.dir)?;
    let built = build(workspace, arguments, Flavor::Fastnet, Config::Hints)?;
    let judged = Judged::new(added, &watch::hints(workspace, &built.bzimage.path, &load())?);

    println!("Linux {}: how often each hint of the patches was right\n", built.release);
    println!("{:>10} {:>10} {:>8}  where", "right", "wrong", "% wrong");
    for Seen { hint, count } in &judged.reached {
        println!("{}  {}", figures(*count), place(hint));
    }
    println!("\n{} hints were never reached", judged.never.len());
    for hint in &judged.never {
        println!("  {}", place(hint));
    }
    Ok(Evidence { origin: watch::origin(workspace, &built)?, judged })
}

/// Follows a kernel without and one with the hints step by step, and shows what a datagram costs in each.
fn compare(workspace: &Workspace, arguments: &PatchArgs) -> Result<Vec<Profile>> {
    let trace = |flavor| {
        let built = build(workspace, arguments, flavor, Config::Vm)?;
        let traced = watch::trace(workspace, &built.bzimage.path, &built.vmlinux.path, &steady())?;
        let origin = watch::origin(workspace, &built)?;
        let profiles = traced.into_iter().map(|traced| Profile { origin: origin.clone(), traced });
        Ok::<Vec<_>, anyhow::Error>(profiles.collect())
    };
    let (before, after) = (trace(Flavor::Stock)?, trace(Flavor::Hints)?);
    println!("\nA datagram, from the call's first instruction in the kernel to its last:");
    println!("stock -> hints\n");
    println!("{:<24} {:>16} {:>16} {:>18}", "", "branches taken", "of branches", "instructions");
    for (before, after) in iter::zip(&before, &after) {
        println!("{}", compared(before, after));
    }
    Ok([before, after].concat())
}

fn build(workspace: &Workspace, arguments: &PatchArgs, flavor: Flavor, config: Config) -> Result<Manifest> {
    let asked = KernelArgs { flavor: Some(flavor), config, ..KernelArgs::from(arguments) };
    kernel::build_kernel(workspace, &asked).map(|build| build.manifest)
}

/// What receives while the hints are counted: every way that the patches touch.
fn load() -> Vec<Cell> {
    let receivers = [
        (Receiver::Recvmmsg, 1000),
        (Receiver::Recvmmsg, 8),
        (Receiver::Recvmsg, 1),
        (Receiver::Remembered, 1000),
        (Receiver::Remembered, 8),
    ];
    cells(&receivers, Size::Of(Mix::Mixed))
}

/// What is followed step by step, in calls long enough that a datagram's share of the call itself is small.
fn steady() -> Vec<Cell> {
    cells(&[(Receiver::Recvmmsg, 100), (Receiver::Recvmsg, 1)], Size::Bytes(64))
}

fn cells(receivers: &[(Receiver, u32)], size: Size) -> Vec<Cell> {
    let mut cells = Vec::new();
    for &(receiver, messages) in receivers {
        for family in [Family::Ipv4, Family::Ipv6] {
            for name in [false, true] {
                cells.push(Cell { receiver, shape: Shape { family, size, messages, name, ..BASE } });
            }
        }
    }
    cells
}

fn figures(count: Count) -> String {
    format!("{:>10} {:>10} {:>8.1}", count.right, count.wrong, count.percent_wrong())
}

fn place(hint: &Hint) -> String {
    format!("{hint}: {}", hint.text)
}

fn compared(before: &Profile, after: &Profile) -> String {
    let (one, other) = (before.work(), after.work());
    let pair = |i: usize, places: usize| format!("{:.places$} -> {:.places$}", one[i], other[i]);
    format!("{:<24} {:>16} {:>16} {:>18}", before.traced.cell.to_string(), pair(0, 1), pair(1, 1), pair(2, 0))
}
