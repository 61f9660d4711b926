//! `cargo xtask`: the command line of fastnet. Nothing here but dispatch.

mod cli;
mod digest;
mod exit;
mod kernel;
mod lock;
mod process;
mod progress;
mod tasks;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    match dispatch(cli::Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit::Exit::of(&error))
        }
    }
}

fn dispatch(cli: cli::Cli) -> anyhow::Result<()> {
    let workspace = workspace::Workspace::locate()?;
    match cli.command {
        cli::Command::Fetch { kernel } => tasks::fetch::run(&workspace, &kernel),
        cli::Command::Patch { action } => tasks::patch::run(&workspace, &action),
        cli::Command::BuildKernel { kernel, package } => {
            tasks::build_kernel::run(&workspace, &kernel, &package.0)
        }
    }
}
