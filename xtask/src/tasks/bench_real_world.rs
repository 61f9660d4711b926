//! `cargo xtask bench real-world`: what receiving a feed costs between two guests, and how late it comes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::bench::feed::result::RealWorld;
use crate::bench::feed::run::{self, Feeder, Kernel};
use crate::bench::feed::{Feed, pcap, pillar, table};
use crate::bench::ledger::Ledger;
use crate::bench::origin::Made;
use crate::bench::result::Line;
use crate::cli::{self, FeedArgs, Flavor, KernelArgs};
use crate::digest;
use crate::exit::{self, Classify, Exit};
use crate::guest::qemu::Accel;
use crate::host::{self, Purpose};
use crate::kernel;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &FeedArgs) -> Result<()> {
    let mut ledger = Ledger::open(arguments.json.as_deref())?;
    // Before kernels are built: a capture that is none is known at once.
    let recorded = arguments.pcap.as_deref().map(pcap::read).transpose()?;
    let kernels = kernels(workspace, arguments)?;
    let feed = |accel| recorded.map_or_else(|| generated(arguments, accel), Ok);
    let feeder = Feeder::prepare(workspace, kernels, arguments.rcvbuf, arguments.accel, feed)?;
    feeder.fits(ledger.runs()).exit(Exit::Usage, || {
        format!("--json {}", arguments.json.as_deref().unwrap_or(Path::new("")).display())
    })?;
    if let Some(notice) = &feeder.notice {
        println!("{notice}");
    }
    if arguments.pcap.is_none() {
        println!("{}", pillar::mix());
    }
    println!("{}\nlogs in {}", feeder.feed(), feeder.folder.display());
    let plan = run::plan(&feeder.receivers, arguments.repeat);
    let progress = Progress::start("feeding", Unit::Steps, Some(plan.len() as u64));
    let mut results = Vec::new();
    for run in &plan {
        let result = if let Some(known) = feeder.known(run, ledger.runs()) {
            known.clone()
        } else {
            let new = feeder.run(run)?;
            ledger.add(new.clone())?;
            new
        };
        progress.above(|| println!("{}", table::line(&result)));
        results.push(result);
        progress.set(results.len() as u64);
    }
    drop(progress);
    ledger.finish(|line| match line {
        Line::RealWorld(known) => plan.iter().position(|run| feeder.is_of(run, known)),
        _ => None,
    })?;
    report(&feeder, &results)
}

fn report(feeder: &Feeder, results: &[RealWorld]) -> Result<()> {
    println!("{}", table::tables(&results.iter().collect::<Vec<_>>())?);
    let failed = |run: &&RealWorld| run.outcome.failed();
    let dead = results.iter().filter(failed).count();
    if dead == 0 {
        return Ok(());
    }
    let logs = feeder.folder.display();
    Err(exit::error(
        Exit::Guest,
        format!("{dead} of {} runs failed; their guests' logs are in {logs}", results.len()),
    ))
}

fn generated(arguments: &FeedArgs, accel: Accel) -> Result<Feed> {
    let (datagrams, rate) = if accel == Accel::Kvm { (1_000_000, 100_000) } else { (20_000, 4_000) };
    let datagrams = arguments.datagrams.unwrap_or(datagrams);
    let feed = pillar::generate(datagrams as usize, arguments.rate.unwrap_or(rate));
    feed.exit(Exit::Usage, || "--datagrams and --rate".to_owned())
}

/// The kernel that sends, and those that receive; built first unless they were given.
fn kernels(workspace: &Workspace, arguments: &FeedArgs) -> Result<(Kernel, Vec<Kernel>)> {
    let FeedArgs { kernel, bzimage, .. } = arguments;
    let mut needed = vec![Purpose::Guest];
    if bzimage.is_empty() {
        needed.extend([Purpose::Fetch, Purpose::Build]);
    }
    host::require(&needed, kernel.yes)?;
    let given = |(flavor, image): &(Flavor, PathBuf)| {
        let build = digest::sha256_file(image)?;
        let (flavor, config) = (cli::name(flavor), cli::name(&kernel.config));
        anyhow::Ok(Kernel { flavor, config, build, bzimage: image.clone(), made: None })
    };
    let built = |flavor| {
        let asked = KernelArgs { flavor: Some(flavor), ..kernel.clone() };
        let manifest = kernel::build_kernel(workspace, &asked)?.manifest;
        let made = Some(Made::of(workspace, &manifest)?);
        let (build, bzimage) = (manifest.bzimage.sha256, manifest.bzimage.path);
        anyhow::Ok(Kernel { flavor: manifest.flavor, config: manifest.config, build, bzimage, made })
    };
    if bzimage.is_empty() {
        let flavors =
            kernel.flavor.map_or(vec![Flavor::Stock, Flavor::Hints, Flavor::Fastnet], |flavor| vec![flavor]);
        return Ok((built(Flavor::Stock)?, flavors.into_iter().map(built).collect::<Result<_>>()?));
    }
    let receivers = bzimage.iter().map(given).collect::<Result<Vec<_>>>()?;
    let stock = receivers.iter().find(|kernel| kernel.flavor == "stock").or(receivers.first());
    Ok((stock.context("no kernel to boot")?.clone(), receivers))
}
