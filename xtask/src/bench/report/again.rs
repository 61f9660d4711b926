//! The commands that make the figures again.

use std::collections::BTreeSet;

use super::super::cell::Cell;
use super::super::chapter::{Chapter, chapters, distinct, records};
use super::super::feed::table::settings;
use super::super::origin::{Origin, series, version};
use super::super::plan;
use super::super::result::Line;
use super::Others;
use crate::cli::{Flavor, name};

/// More cells than that are not told one by one.
const MOST_NAMES: usize = 100;

/// Commands, what is to be known of them, and the files that they write to.
#[derive(Default)]
struct Commands {
    notes: BTreeSet<String>,
    lines: Vec<String>,
    files: Vec<String>,
}

impl Commands {
    fn add(&mut self, file: &str, arguments: &str) {
        self.lines.push(format!("cargo xtask bench {arguments} --json {file}"));
        if !self.files.iter().any(|known| known == file) {
            self.files.push(file.to_owned());
        }
    }

    /// A file that is called so, and that no other results are in.
    fn file(&self, name: &str) -> String {
        match self.files.iter().filter(|known| known.starts_with(name)).count() {
            0 => format!("{name}.jsonl"),
            others => format!("{name}-{}.jsonl", others + 1),
        }
    }

    /// The options for a kernel: its source is to be given if it is none that is fetched. 6.11 is Linus's, without what
    /// came after; 6.12 is Debian's, whatever it is by then.
    fn kernel(&mut self, release: &str) -> String {
        let (series, version) = (series(release), version(release));
        if matches!(version, "6.11" | "6.11.0") || series == "6.12" {
            return format!("--kernel {series}");
        }
        self.notes.insert(format!(
            "# linux-{version} is a tree, or a tarball, of that release, which is not fetched."
        ));
        format!("--kernel {series} --source linux-{version}")
    }
}

/// The commands, the one last that reports what the others found; what begins with `#` is to be known before.
pub fn commands(lines: &[Line]) -> Vec<String> {
    let mut commands = Commands::default();
    // A file is of one kernel, configuration, accelerator and clock; the loopback and other links go to the same.
    for chapters in together(&chapters(records(lines))) {
        local(&mut commands, &chapters);
    }
    let others = Others::of(lines);
    for (setting, runs) in settings(&others.runs) {
        let times = runs.iter().map(|run| run.origin.boot).max().unwrap_or(1);
        let kernel = commands.kernel(setting.version);
        let (config, accel, buffer) = (setting.config, setting.accel, setting.buffer);
        let asked = runs.iter().find_map(|run| run.feed.asked.clone());
        let asked = asked.unwrap_or_else(|| format!("--datagrams {}", setting.datagrams));
        let file = commands.file(&format!("feed-{}-{config}-{accel}", series(setting.version)));
        commands.add(
            &file,
            &format!("real-world {kernel} --config {config} --accel {accel} {asked} --rcvbuf {buffer} --repeat {times}"),
        );
    }
    for evidence in &others.evidence {
        let release = &evidence.origin.release;
        let kernel = commands.kernel(release);
        commands.add(&format!("hints-{}.jsonl", series(release)), &format!("hints {kernel}"));
    }
    // Those that count hints profile the same cells without and with them.
    let of_hints = others.profiles.iter().filter(|profile| profile.origin.flavor == "hints");
    let counted: Vec<_> = of_hints.map(|profile| profile.traced.cell).collect();
    for profile in others.profiles.iter().filter(|profile| !counted.contains(&profile.traced.cell)) {
        let Origin { release, flavor, config, .. } = &profile.origin;
        let (kernel, cell) = (commands.kernel(release), profile.traced.cell);
        commands.add(
            &format!("profiles-{}.jsonl", series(release)),
            &format!("profile {cell} {kernel} --config {config} --flavor {flavor}"),
        );
    }
    let Commands { notes, lines, files } = commands;
    let report = format!("cargo xtask bench report {} --out report", files.join(" "));
    notes.into_iter().chain(lines).chain([report]).collect()
}

/// Chapters that one plan has made, whatever the link.
fn together<'a, 'b>(chapters: &'b [Chapter<'a>]) -> Vec<Vec<&'b Chapter<'a>>> {
    let plan = |chapter: &Chapter<'_>| {
        let setting = &chapter.setting;
        (setting.version.clone(), setting.config.clone(), setting.accel.clone(), setting.clock.clone())
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
    let quick = |flavor| {
        let like = plan::like(flavor, &setting.config);
        if setting.clock.is_none() { plan::cells(true, like) } else { plan::streams(true, like) }
    };
    let (kernel, config, accel) = (commands.kernel(&setting.version), &setting.config, &setting.accel);
    let file = commands.file(&format!("local-{}-{config}-{accel}", series(&setting.version)));
    let boots = records().map(|record| record.origin.boot).max().unwrap_or(1);
    let sent = setting.clock.as_ref().and_then(|(.., stream)| *stream);
    let sent = sent.map_or(String::new(), |datagrams| format!(" --datagrams {datagrams}"));
    let always = format!("{kernel} --config {config} --accel {accel} --repeat {boots}{sent}");
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
                "cargo xtask bench report local-6.12-vm-icount.jsonl local-6.12-lean-icount.jsonl feed-6.12-vm-tcg.jsonl --out report",
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

    #[test]
    fn other_machines_streams_and_releases_have_files_and_commands_of_their_own() {
        let line = |change: fn(&mut Record)| {
            let mut record = Record::sample("stock", Receiver::Recv, 1, 1, 1.0);
            (record.origin.accel, record.stream) = ("kvm".into(), Some(1000));
            change(&mut record);
            Line::Local(record)
        };
        let commands = commands(&[
            line(|_| ()),
            line(|record| record.stream = Some(2000)),
            line(|record| record.origin.host.cores = 64),
            line(|record| record.origin.release = "6.11.11-stock".into()),
            line(|record| record.origin.release = "6.11.0-stock".into()),
        ]);
        assert_eq!(
            commands[0],
            "# linux-6.11.11 is a tree, or a tarball, of that release, which is not fetched."
        );
        for (command, parts) in commands[1..].iter().zip([
            ["--kernel 6.12 --config", "--datagrams 1000 --json local-6.12-vm-kvm.jsonl"],
            ["--kernel 6.12 --config", "--datagrams 2000 --json local-6.12-vm-kvm-2.jsonl"],
            ["--kernel 6.12 --config", "--datagrams 1000 --json local-6.12-vm-kvm-3.jsonl"],
            ["--kernel 6.11 --source linux-6.11.11 --config", "--json local-6.11-vm-kvm.jsonl"],
            ["--kernel 6.11 --config", "--json local-6.11-vm-kvm-2.jsonl"],
            ["bench report local-6.12-vm-kvm.jsonl local-6.12-vm-kvm-2.jsonl", " --out report"],
        ]) {
            assert!(parts.iter().all(|part| command.contains(part)), "{parts:?} are not in {command}");
        }
    }

    #[test]
    fn a_feed_is_sent_as_it_was_asked_for() {
        let outcome = Outcome::Measured(Measured::sample(1.0, 0, false));
        let mut run = RealWorld::sample("stock", Way::Recvmsg, outcome);
        run.feed.asked = Some("--pcap opening.pcap".into());
        let commands = commands(&[Line::RealWorld(run)]);
        assert!(
            commands[0].contains(" --pcap opening.pcap --rcvbuf") && !commands[0].contains("--datagrams"),
            "{}",
            commands[0]
        );
    }
}
