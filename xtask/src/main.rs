//! `cargo xtask`: the command line of fastnet. Nothing here but dispatch.

mod cli;
mod exit;
mod guest;
mod process;
mod tasks;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
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
    match cli.command {
        cli::Command::TestInVm(arguments) => tasks::test_in_vm::run(&arguments),
    }
}
