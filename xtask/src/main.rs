//! `cargo xtask`: the command line of fastnet. Nothing here but dispatch.

mod artifacts;
mod bench;
mod check;
mod cli;
mod deploy;
mod digest;
mod download;
mod exit;
mod folder;
mod guest;
mod host;
mod kernel;
mod lock;
mod machine;
mod process;
mod progress;
mod tasks;
mod workspace;

use std::process::ExitCode;

use clap::Parser;
use rustix::fs::Mode;

fn main() -> ExitCode {
    // Packages hold the modes of the files that they are made of.
    rustix::process::umask(Mode::WGRP | Mode::WOTH);
    match dispatch(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let message = format!("{error:#}");
            if !message.is_empty() {
                eprintln!("error: {message}");
            }
            ExitCode::from(exit::Exit::of(&error))
        }
    }
}

fn dispatch(cli: cli::Cli) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::locate()?;
    match cli.command {
        cli::Command::Doctor { install } => tasks::doctor::run(&workspace, install),
        cli::Command::Fetch { kernel } => tasks::fetch::run(&workspace, &kernel),
        cli::Command::Patch { action } => tasks::patch::run(&workspace, &action),
        cli::Command::BuildKernel(arguments) => tasks::build_kernel::run(&workspace, &arguments),
        cli::Command::TestInVm(arguments) => tasks::test_in_vm::run(&workspace, &arguments),
        cli::Command::Bench { action: cli::BenchAction::Local(arguments) } => {
            tasks::bench_local::run(&workspace, &arguments)
        }
        cli::Command::Bench { action: cli::BenchAction::RealWorld(arguments) } => {
            tasks::bench_real_world::run(&workspace, &arguments)
        }
        cli::Command::Bench { action: cli::BenchAction::Hints { patches, json } } => {
            tasks::bench_hints::run(&workspace, &patches, json.as_deref())
        }
        cli::Command::Bench { action: cli::BenchAction::Profile { cell, kernel, json, svg, manifest } } => {
            tasks::bench_profile::run(
                &workspace,
                &cell,
                &kernel,
                json.as_deref(),
                svg.as_deref(),
                manifest.as_deref(),
            )
        }
        cli::Command::Bench { action: cli::BenchAction::Report { files, out } } => {
            tasks::bench_report::run(&files, &out)
        }
        cli::Command::Bench { action: cli::BenchAction::Compare { before, after, ratios, tolerance } } => {
            tasks::bench_compare::run(&before, &after, ratios, tolerance)
        }
        cli::Command::Artifacts { action } => tasks::artifacts::run(&workspace, &action),
        cli::Command::Deploy(arguments) => tasks::deploy::run(&workspace, &arguments),
        cli::Command::Ci { yes } => tasks::ci::run(&workspace, yes),
    }
}
