//! The commands that make the figures again.

use std::collections::BTreeSet;

use super::super::cell::Cell;
use super::super::chapter::{Chapter, chapters, distinct, records};
use super::super::feed::table::settings;
use super::super::origin::{Origin, series};
use super::super::plan;
use super::super::result::Line;
use super::Others;
use crate::cli::{Flavor, name};

/// More cells than that are not told one by one.
const MOST_NAMES: usize = 100;

/// Commands, and the files that they write to.
#[derive(Default)]
struct Commands {
    lines: Vec<String>,
    files: BTreeSet<String>,
}

impl Commands {
    fn add(&mut self, file: &str, arguments: &str) {
        self.lines.push(format!("cargo xtask bench {arguments} --json {file}.jsonl"));
        self.files.insert(format!("{file}.jsonl"));
    }
}

/// The commands, the one last that reports what the others found.
pub fn commands(lines: &[Line]) -> Vec<String> {
    let mut commands = Commands::default();
    // A file is of one configuration and accelerator; the loopback and other links go to the same.
    for chapters in together(&chapters(records(lines))) {
        local(&mut commands, &chapters);
    }
    let others = Others::of(lines);
    for (setting, runs) in settings(&others.runs) {
        let times = runs.iter().map(|run| run.origin.boot).max().unwrap_or(1);
        let kernel = series(setting.version);
        let (config, accel, buffer) = (setting.config, setting.accel, setting.buffer);
        commands.add(
            &format!("feed-{kernel}-{config}-{accel}"),
            &format!(
                "real-world --kernel {kernel} --config {config} --accel {accel} --datagrams {} --rcvbuf {buffer} --repeat {times}",
                setting.feed.datagrams
            ),
        );
    }
    for evidence in &others.evidence {
        let kernel = series(&evidence.origin.release);
        commands.add(&format!("hints-{kernel}"), &format!("hints --kernel {kernel}"));
    }
    // Those that count hints profile the same cells without and with them.
    let of_hints = others.profiles.iter().filter(|profile| profile.origin.flavor == "hints");
    let counted: Vec<_> = of_hints.map(|profile| profile.traced.cell).collect();
    for profile in others.profiles.iter().filter(|profile| !counted.contains(&profile.traced.cell)) {
        let Origin { release, flavor, config, .. } = &profile.origin;
        let (kernel, cell) = (series(release), profile.traced.cell);
        commands.add(
            &format!("profiles-{kernel}"),
            &format!("profile {cell} --kernel {kernel} --config {config} --flavor {flavor}"),
        );
    }
    let Commands { mut lines, files } = commands;
    let files: Vec<_> = files.into_iter().collect();
    lines.push(format!("cargo xtask bench report {} --out report", files.join(" ")));
    lines
}

/// Chapters that one plan has made, whatever the link.
fn together<'a, 'b>(chapters: &'b [Chapter<'a>]) -> Vec<Vec<&'b Chapter<'a>>> {
    let plan = |chapter: &Chapter<'_>| {
        let setting = &chapter.setting;
        (series(&setting.version).to_owned(), setting.config.clone(), setting.accel.clone())
    };
    let of = |one| chapters.iter().filter(|chapter| plan(chapter) == one).collect();
    distinct(chapters.iter().map(plan)).into_iter().map(of).collect()
}

fn local(commands: &mut Commands, chapters: &[&Chapter<'_>]) {
    let Some(setting) = chapters.first().map(|chapter| &chapter.setting) else { return };
    let records = || chapters.iter().flat_map(|chapter| &chapter.records);
    let cells = |flavor: &str| -> Vec<Cell> {
        distinct(records().filter(|record| record.origin.flavor == flavor).map(|record| record.cell))
    };
    let quick = |flavor| match &setting.clock {
        None => plan::cells(true, flavor),
        Some(_) => plan::streams(true, flavor),
    };
    let (kernel, config, accel) = (series(&setting.version), &setting.config, &setting.accel);
    let file = format!("local-{kernel}-{config}-{accel}");
    let boots = records().map(|record| record.origin.boot).max().unwrap_or(1);
    let sent = setting.clock.as_ref().and_then(|(.., stream)| *stream);
    let sent = sent.map_or(String::new(), |datagrams| format!(" --datagrams {datagrams}"));
    let always = format!("--kernel {kernel} --config {config} --accel {accel} --repeat {boots}{sent}");
    let whole = plan::flavors(true)
        .iter()
        .all(|flavor| quick(*flavor).iter().all(|cell| cells(&name(flavor)).contains(cell)));
    if whole {
        commands.add(&file, &format!("local --quick {always}"));
    }
    for flavor in [Flavor::Stock, Flavor::Hints, Flavor::Fastnet] {
        let quick = if whole && plan::flavors(true).contains(&flavor) { quick(flavor) } else { Vec::new() };
        let more: Vec<_> = cells(&name(&flavor)).into_iter().filter(|cell| !quick.contains(cell)).collect();
        if more.is_empty() {
            continue;
        }
        let told: Vec<_> = more.iter().map(|cell| format!("{cell}/ ")).collect();
        let told = if told.len() <= MOST_NAMES { told.concat() } else { String::new() };
        commands.add(&file, &format!("local {told}--flavor {} {always}", name(&flavor)));
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::super::cell::{BASE, Receiver, Shape};
    use super::super::super::feed::result::{Measured, RealWorld, Way};
    use super::super::super::outcome::Outcome;
    use super::super::super::result::Record;
    use super::*;
    use crate::cli::Cli;

    fn record(flavor: Flavor, cell: Cell, boot: u32) -> Line {
        let mut record = Record::sample(&name(&flavor), cell.receiver, 1, boot, 1.0);
        record.cell = cell;
        Line::Local(record)
    }

    fn quick() -> Vec<Line> {
        let of = |&flavor| plan::cells(true, flavor).into_iter().map(move |cell| record(flavor, cell, 2));
        plan::flavors(true).iter().flat_map(of).collect()
    }

    #[test]
    fn every_line_is_a_command_that_makes_what_is_there() {
        let extra = Cell { receiver: Receiver::Recvmmsg, shape: Shape { messages: 100_000, ..BASE } };
        let mut lines = quick();
        lines.push(record(Flavor::Stock, extra, 1));
        let mut lean = Record::sample("stock", Receiver::Recv, 1, 1, 1.0);
        lean.origin.config = "lean".into();
        lines.push(Line::Local(lean));
        let outcome = Outcome::Measured(Measured::sample(1.0, 0, false));
        let mut run = RealWorld::sample("stock", Way::Recvmsg, outcome);
        run.origin.accel = "tcg".into();
        lines.push(Line::RealWorld(run));
        let commands = commands(&lines);
        assert_eq!(
            commands,
            [
                "cargo xtask bench local --quick --kernel 6.12 --config vm --accel icount --repeat 2 --json local-6.12-vm-icount.jsonl",
                "cargo xtask bench local recvmmsg/ipv4/64/100000/ --flavor stock --kernel 6.12 --config vm --accel icount --repeat 2 \
                 --json local-6.12-vm-icount.jsonl",
                "cargo xtask bench local recv/ipv4/64/1/ --flavor stock --kernel 6.12 --config lean --accel icount --repeat 1 \
                 --json local-6.12-lean-icount.jsonl",
                "cargo xtask bench real-world --kernel 6.12 --config vm --accel tcg --datagrams 1000 --rcvbuf 8388608 --repeat 1 \
                 --json feed-6.12-vm-tcg.jsonl",
                "cargo xtask bench report feed-6.12-vm-tcg.jsonl local-6.12-lean-icount.jsonl local-6.12-vm-icount.jsonl --out report",
            ]
        );
        for command in commands {
            let words = command.strip_prefix("cargo xtask ").unwrap().split(' ');
            Cli::try_parse_from(["xtask"].into_iter().chain(words)).unwrap();
        }
    }

    #[test]
    fn a_quick_plan_that_is_not_whole_is_told_by_its_cells() {
        let mut lines = quick();
        lines.pop();
        let commands = commands(&lines);
        assert!(!commands.concat().contains("--quick"));
        assert!(commands[0].contains("recvmmsg/ipv4/64/1000/ "));
    }
}
