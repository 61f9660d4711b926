//! Records that can be compared: of one Linux, one configuration, one guest, one link.

use super::cell::{BASE, Cell, Link, Receiver, Shape};
use super::origin::{Host, version};
use super::outcome::Outcome;
use super::result::{Line, Measured, Record, Unit};
use super::statistics::{Figure, Interval, Ratio};

/// What figures must share to be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Linux's own version, whatever the flavor: `6.12.117`.
    pub version: String,
    /// The kernels' configuration.
    pub config: String,
    /// Who ran the guest's instructions.
    pub accel: String,
    /// The CPU model that the guest saw.
    pub cpu: String,
    /// What was counted.
    pub unit: Unit,
    /// Under a clock: QEMU, the host below it, and how many datagrams were sent.
    pub clock: Option<(String, Host, Option<u64>)>,
    /// What the datagrams came over.
    pub link: Link,
}

impl Setting {
    fn of(record: &Record) -> Self {
        let origin = &record.origin;
        let clock = origin.clock().map(|(qemu, host)| (qemu.to_owned(), host.clone(), record.stream));
        Self {
            version: version(&origin.release).to_owned(),
            config: origin.config.clone(),
            accel: origin.accel.clone(),
            cpu: origin.cpu.clone(),
            unit: if clock.is_some() { Unit::Ns } else { Unit::Instructions },
            clock,
            link: record.cell.shape.link,
        }
    }
}

/// A setting, and all that was found in it.
#[derive(Clone, Debug)]
pub struct Chapter<'a> {
    /// What its records share.
    pub setting: Setting,
    /// In the order they came.
    pub records: Vec<&'a Record>,
}

/// Sorts records into chapters, in the order of their first coming.
pub fn chapters<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<Chapter<'a>> {
    let mut chapters: Vec<Chapter<'a>> = Vec::new();
    for record in records {
        let setting = Setting::of(record);
        match chapters.iter_mut().find(|chapter| chapter.setting == setting) {
            Some(chapter) => chapter.records.push(record),
            None => chapters.push(Chapter { setting, records: vec![record] }),
        }
    }
    chapters
}

/// The records among lines.
pub fn records(lines: &[Line]) -> impl Iterator<Item = &Record> {
    lines.iter().filter_map(|line| match line {
        Line::Local(record) => Some(record),
        _ => None,
    })
}

impl Chapter<'_> {
    /// The shape that most is told of.
    pub fn base(&self) -> Shape {
        Shape { link: self.setting.link, ..BASE }
    }

    /// The flavors, stock first.
    pub fn flavors(&self) -> Vec<&str> {
        flavors(&self.records)
    }

    /// The cells, of every flavor.
    pub fn cells(&self) -> Vec<Cell> {
        distinct(self.records.iter().map(|record| record.cell))
    }

    /// What a flavor's cell was measured at, a boot each.
    pub fn boots(&self, flavor: &str, cell: Cell) -> Vec<&Measured> {
        boots(&self.records, flavor, cell).collect()
    }

    /// The median of the boots, between the least and the most of all their rounds.
    pub fn figure(&self, flavor: &str, cell: Cell) -> Option<Figure> {
        let figures: Vec<_> = self.boots(flavor, cell).iter().map(|boot| boot.figure).collect();
        let of = |part: fn(&Figure) -> f64| Figure::of(&figures.iter().map(part).collect::<Vec<_>>());
        Some(Figure {
            min: of(|figure| figure.min)?.min,
            median: of(|figure| figure.median)?.median,
            max: of(|figure| figure.max)?.max,
        })
    }

    /// A figure as a part of what stock's `recvmmsg` takes for the same shape: of three boots or more between the ends of
    /// its [`Interval`]. Of fewer, instructions are between those that the worst luck in all rounds would give; time, of
    /// which a boot has one round, is not known to be between any.
    pub fn ratio(&self, flavor: &str, cell: Cell) -> Option<Ratio> {
        let of_stock = Cell { receiver: Receiver::Recvmmsg, ..cell };
        let stock = self.figure("stock", of_stock)?;
        let Figure { min, median, max } = self.figure(flavor, cell)?;
        let medians = |flavor, cell| medians(&self.records, flavor, cell);
        let interval = Interval::of_ratio(&medians(flavor, cell), &medians("stock", of_stock));
        let worst = Interval { low: min / stock.max, high: max / stock.min };
        let ends = interval.or((self.setting.unit == Unit::Instructions).then_some(worst));
        Some(Ratio { median: median / stock.median, ends })
    }

    /// Whether it can be told how far measurements of a flavor's cell are apart: of instructions each boot has rounds.
    pub fn repeats(&self, flavor: &str, cell: Cell) -> bool {
        self.setting.unit == Unit::Instructions || self.boots(flavor, cell).len() >= Interval::LEAST_RUNS
    }

    /// Whether datagrams were lost behind a ratio.
    pub fn lossy(&self, flavor: &str, cell: Cell) -> bool {
        lossy(&self.records, flavor, cell)
    }

    /// Whether a flavor's cell failed in a boot.
    pub fn failed(&self, flavor: &str, cell: Cell) -> bool {
        of(&self.records, flavor, cell).any(|record| record.outcome.failed())
    }

    /// Why a flavor's cell has no figure, if something was said.
    pub fn reason(&self, flavor: &str, cell: Cell) -> Option<&str> {
        of(&self.records, flavor, cell).find_map(|record| match &record.outcome {
            Outcome::Measured(_) => None,
            Outcome::Skipped { why } | Outcome::Failed { why, .. } => Some(why.as_str()),
        })
    }
}

/// The flavors, stock first: the others are told by their ratio to it.
pub fn flavors<'a>(records: &[&'a Record]) -> Vec<&'a str> {
    let mut flavors = distinct(records.iter().map(|record| record.origin.flavor.as_str()));
    flavors.sort_by_key(|flavor| *flavor != "stock");
    flavors
}

fn of<'a>(records: &[&'a Record], flavor: &str, cell: Cell) -> impl Iterator<Item = &'a Record> {
    records.iter().copied().filter(move |record| record.origin.flavor == flavor && record.cell == cell)
}

fn boots<'a>(records: &[&'a Record], flavor: &str, cell: Cell) -> impl Iterator<Item = &'a Measured> {
    of(records, flavor, cell).filter_map(Record::measured)
}

/// The medians of a flavor's cell, a boot each.
pub fn medians(records: &[&Record], flavor: &str, cell: Cell) -> Vec<f64> {
    boots(records, flavor, cell).map(|boot| boot.figure.median).collect()
}

/// Whether a run lost datagrams behind a ratio: of the cell itself, or of stock's that it is a part of. Whoever loses
/// receives less, and is not as cheap as it looks.
pub fn lossy(records: &[&Record], flavor: &str, cell: Cell) -> bool {
    let stock = boots(records, "stock", Cell { receiver: Receiver::Recvmmsg, ..cell });
    boots(records, flavor, cell).chain(stock).any(|boot| boot.lost > 0)
}

/// Each once, in the order of their first coming.
pub fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    let mut seen = Vec::new();
    for item in items {
        if !seen.contains(&item) {
            seen.push(item);
        }
    }
    seen
}

#[cfg(test)]
impl Record {
    /// One for tests: a cell of 64 bytes over IPv4, measured in one boot under icount.
    pub fn sample(flavor: &str, receiver: Receiver, messages: u32, boot: u32, median: f64) -> Self {
        use super::origin::Origin;

        let shape = Shape { messages, ..BASE };
        let figure = Figure { min: median - 1.0, median, max: median + 1.0 };
        let outcome = Outcome::Measured(Measured { datagrams: 4096, ..Measured::sample(figure) });
        Self { origin: Origin::sample(flavor, boot), cell: Cell { receiver, shape }, stream: None, outcome }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(release: &str, boot: u32, median: f64) -> Record {
        let mut record = Record::sample("stock", Receiver::Recvmmsg, 8, boot, median);
        record.origin.release = release.to_owned();
        record
    }

    #[test]
    fn what_cannot_be_compared_has_chapters_of_its_own() {
        let mut other = [1, 2, 3].map(|boot| of("6.12.117-stock", boot, 1.0));
        other[0].origin.config = "lean".into();
        other[1].origin.accel = "kvm".into();
        other[2].cell.shape.link = Link::Veth;
        let records =
            [of("6.12.117-stock", 1, 10.0), of("6.11.11-stock", 1, 1.0), of("6.12.117-fastnet", 1, 1.0)];
        let records: Vec<_> = records.into_iter().chain(other).collect();
        let chapters = chapters(&records);
        let counts: Vec<_> = chapters.iter().map(|chapter| chapter.records.len()).collect();
        assert_eq!(counts, [2, 1, 1, 1, 1]);
        assert_eq!((chapters[3].setting.unit, chapters[1].setting.version.as_str()), (Unit::Ns, "6.11.11"));
    }

    #[test]
    fn boots_make_a_figure_and_a_ratio_lies_between_its_ends() {
        let mut records = vec![of("6.12-stock", 1, 100.0), of("6.12-stock", 2, 102.0)];
        records.push(Record::sample("fastnet", Receiver::Remembered, 8, 1, 50.5));
        records[2].origin.release = "6.12-fastnet".into();
        let chapter = &chapters(&records)[0];
        let stock = chapter.figure("stock", records[0].cell).unwrap();
        assert_eq!(stock, Figure { min: 99.0, median: 101.0, max: 103.0 });
        let ratio = chapter.ratio("fastnet", records[2].cell).unwrap();
        let ends = Some(Interval { low: 49.5 / 103.0, high: 51.5 / 99.0 });
        assert_eq!(ratio, Ratio { median: 0.5, ends });
        assert_eq!(chapter.flavors(), ["stock", "fastnet"]);
        assert_eq!(chapter.figure("hints", records[0].cell), None);
    }

    #[test]
    fn time_of_few_boots_has_no_ends_and_that_of_other_hosts_another_chapter() {
        let timed = |flavor, boot, median| {
            let mut record = Record::sample(flavor, Receiver::Recvmmsg, 8, boot, median);
            record.origin.accel = "kvm".into();
            record
        };
        let boots = |flavor, medians: &[f64]| -> Vec<_> {
            (1..).zip(medians).map(|(boot, median)| timed(flavor, boot, *median)).collect()
        };
        for (medians, ends) in [(&[50.0, 51.0][..], false), (&[50.0, 51.0, 52.0], true)] {
            let mut records = [boots("stock", medians), boots("fastnet", medians)].concat();
            let cell = records[0].cell;
            let mut elsewhere = timed("stock", 9, 80.0);
            elsewhere.origin.host.cores = 64;
            records.push(elsewhere);
            let chapters = chapters(&records);
            assert_eq!(chapters.len(), 2);
            assert_eq!(chapters[0].ratio("fastnet", cell).unwrap().ends.is_some(), ends);
            assert_eq!(chapters[0].repeats("fastnet", cell), ends);
        }
    }

    #[test]
    fn what_has_no_figure_has_its_reason() {
        let mut record = of("6.12-stock", 1, 1.0);
        record.outcome = Outcome::Skipped { why: "no room".into() };
        let records = [record];
        let chapter = &chapters(&records)[0];
        assert_eq!(chapter.figure("stock", records[0].cell), None);
        assert_eq!(chapter.reason("stock", records[0].cell), Some("no room"));
        assert!(!chapter.failed("stock", records[0].cell));
    }
}
