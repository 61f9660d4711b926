//! How long work shows itself: a bar on a terminal, a plain line every few seconds elsewhere.

use std::cell::Cell;
use std::io::{self, Read};
use std::thread;
use std::time::{Duration, Instant};

use indicatif::{FormattedDuration, HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Between two plain lines, so that a CI log stays readable and still shows life.
const PLAIN_EVERY: Duration = Duration::from_secs(5);
/// The same of a [`countdown`], which may take an hour.
const PLAIN_COUNT: Duration = Duration::from_mins(1);

/// What a [`Progress`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, shown as KiB, MiB, GiB.
    Bytes,
    /// Files, objects, compiler runs.
    Steps,
}

/// One piece of work under way; what it showed on a terminal goes away when it is dropped.
pub struct Progress {
    bar: ProgressBar,
    what: String,
    unit: Unit,
    last_line: Cell<Instant>,
}

impl Progress {
    /// Shows `what`, counting to `total` where that is known.
    pub fn start(what: &str, unit: Unit, total: Option<u64>) -> Self {
        Self::with_bar(what, unit, total.map_or_else(ProgressBar::no_length, ProgressBar::new))
    }

    fn with_bar(what: &str, unit: Unit, bar: ProgressBar) -> Self {
        bar.set_style(style(unit, bar.length().is_some()));
        bar.set_message(what.to_owned());
        Self { bar, what: what.to_owned(), unit, last_line: Cell::new(Instant::now()) }
    }

    /// Sets how far the work goes, where that came to be known later.
    pub fn expect(&self, total: u64) {
        if self.bar.length() != Some(total) {
            self.bar.set_length(total);
            self.bar.set_style(style(self.unit, true));
        }
    }

    /// How far the work is.
    pub fn position(&self) -> u64 {
        self.bar.position()
    }

    /// Lets `print` write lines that stay, above a bar that does not.
    pub fn above(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }

    /// Counts what is read from `reader`.
    pub fn reading<R: Read>(&self, reader: R) -> Reading<'_, R> {
        Reading { progress: self, reader }
    }

    /// Sets how far the work is, in the unit it counts.
    pub fn set(&self, position: u64) {
        self.bar.set_position(position);
        if self.bar.is_hidden() && self.last_line.get().elapsed() >= PLAIN_EVERY {
            self.last_line.set(Instant::now());
            line(&self.to_string());
        }
    }
}

/// Pieces of work under way at the same time, a bar below the other.
#[derive(Default)]
pub struct Group(MultiProgress);

impl Group {
    /// As [`Progress::start`], with all the others of the group in sight.
    pub fn start(&self, what: &str, unit: Unit, total: u64) -> Progress {
        Progress::with_bar(what, unit, self.0.add(ProgressBar::new(total)))
    }
}

fn style(unit: Unit, with_total: bool) -> ProgressStyle {
    let template = match (unit, with_total) {
        (Unit::Bytes, true) => "{msg} [{bar:24}] {bytes}/{total_bytes} {bytes_per_sec} {eta}",
        (Unit::Bytes, false) => "{msg} {spinner} {bytes} {bytes_per_sec}",
        (Unit::Steps, true) => "{msg} [{bar:24}] {pos}/{len}",
        (Unit::Steps, false) => "{msg} {spinner} {pos}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// A reader that moves a [`Progress`] on.
pub struct Reading<'a, R> {
    progress: &'a Progress,
    reader: R,
}

impl<R: Read> Read for Reading<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.progress.set(self.progress.position() + count as u64);
        Ok(count)
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let show = |count: u64| match self.unit {
            Unit::Bytes => HumanBytes(count).to_string(),
            Unit::Steps => count.to_string(),
        };
        write!(f, "{}: {}", self.what, show(self.bar.position()))?;
        self.bar.length().map_or(Ok(()), |total| write!(f, " of {}", show(total)))
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Says one thing about work under way, on stderr: stdout belongs to a command's result.
pub fn line(text: &str) {
    eprintln!("{text}");
}

/// Waits for `span`, telling why and how much longer.
pub fn countdown(why: &str, span: Duration) {
    let end = Instant::now() + span;
    let bar = ProgressBar::new_spinner();
    bar.set_style(ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
    let mut next_line = Instant::now();
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let text = format!("{why}: {} to wait", FormattedDuration(left));
        if bar.is_hidden() && Instant::now() >= next_line {
            next_line += PLAIN_COUNT;
            line(&text);
        }
        bar.set_message(text);
        thread::sleep(left.min(Duration::from_secs(1)));
    }
    bar.finish_and_clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_tells_how_far_of_how_much() {
        let bytes = Progress::start("fetching a.tar", Unit::Bytes, Some(4 << 20));
        bytes.set(1 << 20);
        assert_eq!(bytes.to_string(), "fetching a.tar: 1.00 MiB of 4.00 MiB");
        let steps = Progress::start("compiling", Unit::Steps, None);
        steps.set(7);
        assert_eq!(steps.to_string(), "compiling: 7");
    }
}
