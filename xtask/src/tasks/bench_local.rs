//! `cargo xtask bench local`: what receiving costs in a guest.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;

use super::verdicts::explain;
use crate::bench::cell::Cell;
use crate::bench::chapter::{Chapter, chapters};
use crate::bench::ledger::Ledger;
use crate::bench::origin::Made;
use crate::bench::plan;
use crate::bench::report;
use crate::bench::result::{Line, Record};
use crate::bench::run::{Bench, Ran, Subject};
use crate::bench::statistics::Interval;
use crate::cli::{self, BenchAccel, BenchArgs, Flavor, KernelArgs};
use crate::digest;
use crate::exit::{self, Classify, Exit};
use crate::guest::qemu::Accel;
use crate::guest::verdict;
use crate::host::{self, Purpose};
use crate::kernel;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &BenchArgs) -> Result<()> {
    let json = arguments.json.as_deref();
    if arguments.accel == BenchAccel::Icount && arguments.datagrams.is_some() {
        let message =
            "--datagrams is for --accel auto, kvm or tcg: without a clock, no program sends to another";
        return Err(exit::error(Exit::Usage, message));
    }
    let mut ledger = Ledger::open(json)?;
    let subjects = subjects(workspace, arguments)?;
    let cells: usize = subjects.iter().map(|subject| subject.cells.len()).sum();
    let datagrams =
        |accel| arguments.datagrams.unwrap_or(plan::datagrams(arguments.quick, accel == Accel::Tcg));
    let bench = Bench::prepare(workspace, subjects, arguments.accel, datagrams)?;
    if let Some(notice) = &bench.notice {
        println!("{notice}");
    }
    if let Some(datagrams) = bench.stream {
        println!("{datagrams} datagrams a cell, from one program to another");
    }
    bench
        .fits(ledger.records())
        .exit(Exit::Usage, || format!("--json {}", json.unwrap_or(Path::new("")).display()))?;
    let times = arguments.repeat.unwrap_or(if bench.stream.is_some() { Interval::LEAST_RUNS } else { 2 });
    let done: Vec<_> = ledger.records().cloned().collect();
    let all = cells * times as usize;
    let missing = bench.missing(times, &done);
    if missing < all {
        println!("{} of {all} cells are measured already", all - missing);
    }
    let ran = measure(&bench, &mut ledger, times, &done, missing)?;
    ledger.finish(|line| match line {
        Line::Local(record) => bench.place(record),
        _ => None,
    })?;
    for case in ran.cases.iter().filter(|case| case.verdict.exit().is_some()) {
        explain(case);
    }
    let records: Vec<_> = ledger.records().filter(|record| bench.place(record).is_some()).collect();
    // What a guest said that passed and still makes no sense is an end like a guest's own.
    let senseless = records.iter().any(|record| record.outcome.failed()).then_some(Exit::Guest);
    let end = if missing == 0 { senseless } else { verdict::exit(&ran.cases).or(senseless) };
    if matches!(end, Some(Exit::Guest)) {
        let consoles = bench.folder.join("*/console.log");
        let died = matches!(verdict::exit(&ran.cases), Some(Exit::Guest)) || ran.not_run > 0;
        let what = if died {
            format!("a guest died, {} cells were never reached", ran.not_run)
        } else {
            "what a guest said of a cell makes no sense".to_owned()
        };
        println!("\n{what}; consoles: {}", consoles.display());
    }
    let chapters = chapters(records.iter().copied());
    println!("{}", chapters.iter().map(report::tables).collect::<String>());
    if bench.stream.is_some() {
        let losses = report::losses(&records);
        println!("{} of {} runs lost datagrams", losses.len(), records.len());
        for line in losses {
            println!("{line}");
        }
    } else {
        disagreements(&chapters);
    }
    end.map_or(Ok(()), |exit| Err(exit::said(exit)))
}

/// Tells which cells do not repeat.
fn disagreements(chapters: &[Chapter<'_>]) {
    for (differ, repeated) in chapters.iter().map(report::disagreements) {
        if repeated > 0 {
            println!("{} of {repeated} cells differ by more than 0.5 % from boot to boot", differ.len());
        }
        for line in differ {
            println!("{line}");
        }
    }
}

/// Boots what there is to boot; each record is shown and written down as it comes.
fn measure(bench: &Bench, ledger: &mut Ledger, times: u32, done: &[Record], missing: usize) -> Result<Ran> {
    if missing == 0 {
        return Ok(Ran::default());
    }
    println!("logs in {}", bench.folder.display());
    let progress = Progress::start("measuring", Unit::Steps, Some(missing as u64));
    // What went wrong first, and all that waits for a turn.
    let sheet = Mutex::new((ledger, progress, Ok(())));
    let ran = bench.run(times, done, &|record| {
        let mut sheet = sheet.lock().unwrap_or_else(PoisonError::into_inner);
        let (ledger, progress, written) = &mut *sheet;
        progress.above(|| println!("{}", report::line(&record)));
        progress.set(progress.position() + 1);
        if written.is_ok() {
            *written = ledger.add(record);
        }
    })?;
    let (_, _, written) = sheet.into_inner().unwrap_or_else(PoisonError::into_inner);
    written.map(|()| ran)
}

/// The kernels to boot, built first unless they were given, and what each is measured in.
fn subjects(workspace: &Workspace, arguments: &BenchArgs) -> Result<Vec<Subject>> {
    let BenchArgs { kernel, bzimage, quick, filter, shard, .. } = arguments;
    let flavors: Vec<_> = match kernel.flavor {
        _ if !bzimage.is_empty() => bzimage.iter().map(|(flavor, _)| *flavor).collect(),
        Some(flavor) => vec![flavor],
        None => plan::flavors(*quick).to_vec(),
    };
    let cells = |flavor: Flavor| -> Vec<Cell> {
        let wanted = |cell: &Cell| filter.is_empty() || filter.iter().any(|part| cell.is_called(part));
        let icount = arguments.accel == BenchAccel::Icount;
        let like = plan::like(flavor, &cli::name(&kernel.config));
        let all = if icount { plan::cells(*quick, like) } else { plan::streams(*quick, like) };
        let ours = match shard {
            Some(shard) => plan::part(*shard, all),
            None => all,
        };
        ours.into_iter().filter(wanted).collect()
    };
    if flavors.iter().all(|flavor| cells(*flavor).is_empty()) {
        let part = if shard.is_some() { "this part of the plan" } else { "the plan" };
        return Err(exit::error(Exit::Usage, format!("no cell of {part} has a name with {filter:?} in it")));
    }
    let mut needed = vec![Purpose::Guest];
    if bzimage.is_empty() {
        needed.extend([Purpose::Fetch, Purpose::Build]);
    }
    host::require(&needed, kernel.yes)?;
    let given = bzimage.iter().map(|(flavor, image)| {
        Ok(Subject {
            flavor: cli::name(flavor),
            config: cli::name(&kernel.config),
            release: None,
            build: digest::sha256_file(image)?,
            bzimage: image.clone(),
            made: None,
            cells: cells(*flavor),
        })
    });
    let built = flavors.iter().filter(|_| bzimage.is_empty()).map(|flavor| {
        let asked = KernelArgs { flavor: Some(*flavor), ..kernel.clone() };
        let manifest = kernel::build_kernel(workspace, &asked)?.manifest;
        Ok(Subject {
            made: Some(Made::of(workspace, &manifest)?),
            flavor: manifest.flavor,
            config: manifest.config,
            release: Some(manifest.release),
            build: manifest.bzimage.sha256,
            bzimage: manifest.bzimage.path,
            cells: cells(*flavor),
        })
    });
    let subjects: Result<Vec<_>> = given.chain(built).collect();
    Ok(subjects?.into_iter().filter(|subject| !subject.cells.is_empty()).collect())
}
