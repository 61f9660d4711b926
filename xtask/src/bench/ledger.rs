//! A file of results that grows by a line a cell. What it has is not measured again: a plan that was cut off goes on.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::feed::result::RealWorld;
use super::lines;
use super::result::{self, Line, Record, SCHEMA};
use crate::digest::atomic_write;
use crate::exit::{self, Classify, Exit};

/// What was measured so far, here and by earlier runs.
#[derive(Debug, Default)]
pub struct Ledger {
    lines: Vec<Line>,
    file: Option<(PathBuf, File)>,
}

impl Ledger {
    /// Reads the file, which need not be there; without one, all is kept in memory alone.
    ///
    /// A file that holds anything but results is left alone, and so is one that another command writes to. What is
    /// left of a line whose writing was cut off goes.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let context = || format!("--json {}", path.display());
        let options = File::options().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.exit(Exit::Usage, context)?;
        if file.try_lock().is_err() {
            return Err(exit::error(Exit::Usage, format!("{}: another command writes to it", context())));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).exit(Exit::Usage, context)?;
        let whole = whole(&text);
        let read = result::read(whole).exit(Exit::Usage, || format!("{}: it is left alone", context()))?;
        file.set_len(whole.len() as u64)
            .and_then(|()| file.seek(std::io::SeekFrom::End(0)))
            .with_context(context)?;
        Ok(Self { lines: lines::newest(read), file: Some((path.to_owned(), file)) })
    }

    /// The cells that were measured, or at least tried.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.lines.iter().filter_map(|line| match line {
            Line::Local(record) => Some(record),
            _ => None,
        })
    }

    /// The feeds that were run, or at least tried.
    pub fn runs(&self) -> impl Iterator<Item = &RealWorld> {
        self.lines.iter().filter_map(|line| match line {
            Line::RealWorld(run) => Some(run),
            _ => None,
        })
    }

    /// Adds what an experiment found, in place of an older finding of the same.
    pub fn add(&mut self, line: impl Into<Line>) -> Result<()> {
        let line = line.into();
        if let Some((path, file)) = &mut self.file {
            let text = line.to_json()? + "\n";
            file.write_all(text.as_bytes()).exit(Exit::Host, || format!("writing {}", path.display()))?;
        }
        lines::renew(&mut self.lines, line);
        Ok(())
    }

    /// Writes the file anew, in the order of `place`, so that it tells nothing of how often the plan was cut off. What has no
    /// place in the plan comes first, as it is.
    pub fn finish<T: Ord>(&mut self, place: impl Fn(&Line) -> Option<T>) -> Result<()> {
        self.lines.sort_by_cached_key(place);
        let Some((path, _)) = &self.file else { return Ok(()) };
        let mut text = String::new();
        for line in &self.lines {
            text += &line.to_json()?;
            text.push('\n');
        }
        atomic_write(path, text).exit(Exit::Host, || format!("writing {}", path.display()))
    }
}

/// The text without a last line that has our beginning and no end.
fn whole(text: &str) -> &str {
    let beginning = format!(r#"{{"schema":{SCHEMA},"#);
    let end = text.rfind('\n').map_or(0, |newline| newline + 1);
    let (whole, rest) = text.split_at(end);
    if beginning.starts_with(rest) || rest.starts_with(&beginning) { whole } else { text }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::cell::{BASE, Cell, Receiver, Shape};
    use super::super::origin::Origin;
    use super::super::outcome::Outcome;
    use super::*;

    fn record(boot: u32, messages: u32, why: &str) -> Record {
        let shape = Shape { messages, ..BASE };
        let cell = Cell { receiver: Receiver::Recvmmsg, shape };
        let outcome = match why {
            "died" => Outcome::Failed { verdict: "panic".into(), why: why.into() },
            why => Outcome::Skipped { why: why.into() },
        };
        Record { origin: Origin::sample("stock", boot), cell, stream: None, outcome }
    }

    fn place(record: &Record) -> (u32, u32) {
        (record.origin.boot, record.cell.shape.messages)
    }

    fn finish(mut ledger: Ledger) {
        let of = |line: &Line| match line {
            Line::Local(record) => Some(place(record)),
            _ => None,
        };
        ledger.finish(of).unwrap();
    }

    #[test]
    fn a_file_ends_the_same_wherever_it_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let plan = [(1, 8), (1, 64), (2, 8)];
        let run = |path: &Path| {
            let mut ledger = Ledger::open(Some(path)).unwrap();
            for (boot, messages) in plan {
                if !ledger.records().any(|record| place(record) == (boot, messages)) {
                    ledger.add(record(boot, messages, "no room")).unwrap();
                }
            }
            finish(ledger);
            fs::read(path).unwrap()
        };
        let whole = run(&folder.path().join("whole"));
        for cut in 0..=whole.len() {
            let path = folder.path().join("cut");
            fs::write(&path, &whole[..cut]).unwrap();
            assert!(run(&path) == whole, "cut at {cut}");
        }
    }

    #[test]
    fn a_second_try_takes_the_place_of_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        let mut ledger = Ledger::open(Some(&path)).unwrap();
        for record in [record(1, 8, "died"), record(1, 64, "no room"), record(1, 8, "no room")] {
            ledger.add(record).unwrap();
        }
        let mut unfinished = fs::read_to_string(&path).unwrap();
        assert_eq!(unfinished.lines().count(), 3);
        drop(ledger);
        let ledger = Ledger::open(Some(&path)).unwrap();
        assert!(ledger.records().eq(&[record(1, 64, "no room"), record(1, 8, "no room")]));
        finish(ledger);
        unfinished = fs::read_to_string(&path).unwrap();
        assert_eq!(result::read(&unfinished).unwrap().len(), 2);
    }

    #[test]
    fn one_image_as_two_flavors_has_two_records() {
        let mut ledger = Ledger::default();
        let mut other = record(1, 8, "no room");
        other.origin.flavor = "fastnet".into();
        ledger.add(record(1, 8, "no room")).unwrap();
        ledger.add(other).unwrap();
        assert_eq!(ledger.records().count(), 2);
    }

    #[test]
    fn what_is_no_result_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("thesis");
        for content in ["My thesis", "My thesis\n", "{\"schema\":1}", "My thesis\n{\"schema\":2"] {
            fs::write(&path, content).unwrap();
            let error = Ledger::open(Some(&path)).unwrap_err();
            assert_eq!(Exit::of(&error), Exit::Usage.code());
            assert_eq!(fs::read_to_string(&path).unwrap(), content);
        }
    }

    #[test]
    fn two_commands_do_not_write_to_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results");
        let first = Ledger::open(Some(&path)).unwrap();
        assert!(Ledger::open(Some(&path)).unwrap_err().to_string().contains("another command"));
        drop(first);
        Ledger::open(Some(&path)).unwrap();
    }
}
