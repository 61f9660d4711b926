//! Records that can be compared: of one Linux, one configuration, one guest, one link.

use std::hash::Hash;

use indexmap::{IndexMap, IndexSet};

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
    /// The same, by the flavor and the cell that they are of.
    of: IndexMap<&'a str, IndexMap<Cell, Vec<&'a Record>>>,
}

/// Sorts records into chapters, in the order of their first coming.
pub fn chapters<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<Chapter<'a>> {
    let mut chapters: Vec<Chapter<'a>> = Vec::new();
    for record in records {
        let setting = Setting::of(record);
        let place = chapters.iter().position(|chapter| chapter.setting == setting).unwrap_or_else(|| {
            chapters.push(Chapter { setting, records: Vec::new(), of: IndexMap::new() });
            chapters.len() - 1
        });
        let Chapter { records, of, .. } = &mut chapters[place];
        records.push(record);
        of.entry(record.origin.flavor.as_str()).or_default().entry(record.cell).or_default().push(record);
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

impl<'a> Chapter<'a> {
    /// The shape that most is told of.
    pub fn base(&self) -> Shape {
        Shape { link: self.setting.link, ..BASE }
    }

    /// The flavors, stock first: the others are told by their ratio to it.
    pub fn flavors(&self) -> Vec<&'a str> {
        let mut flavors: Vec<_> = self.of.keys().copied().collect();
        flavors.sort_by_key(|flavor| *flavor != "stock");
        flavors
    }

    /// The cells, of every flavor.
    pub fn cells(&self) -> Vec<Cell> {
        distinct(self.records.iter().map(|record| record.cell))
    }

    /// The cells of a flavor.
    pub fn cells_of(&self, flavor: &str) -> Vec<Cell> {
        self.of.get(flavor).into_iter().flat_map(IndexMap::keys).copied().collect()
    }

    fn of(&self, flavor: &str, cell: Cell) -> &[&'a Record] {
        self.of.get(flavor).and_then(|cells| cells.get(&cell)).map_or(&[], Vec::as_slice)
    }

    /// What a flavor's cell was measured at, a boot each.
    pub fn boots(&self, flavor: &str, cell: Cell) -> impl Iterator<Item = &Measured> {
        self.of(flavor, cell).iter().filter_map(|record| record.measured())
    }

    /// The medians of a flavor's cell, a boot each.
    pub fn medians(&self, flavor: &str, cell: Cell) -> Vec<f64> {
        self.boots(flavor, cell).map(|boot| boot.figure.median).collect()
    }

    /// The median of the boots, between the least and the most of all their rounds.
    pub fn figure(&self, flavor: &str, cell: Cell) -> Option<Figure> {
        let figures: Vec<_> = self.boots(flavor, cell).map(|boot| boot.figure).collect();
        let of = |part: fn(&Figure) -> f64| Figure::of(&figures.iter().map(part).collect::<Vec<_>>());
        Some(Figure {
            min: of(|figure| figure.min)?.min,
            median: of(|figure| figure.median)?.median,
            max: of(|figure| figure.max)?.max,
        })
    }

    /// A figure as a part of what stock's `recvmmsg` takes for the same shape: of five boots or more between the ends of
    /// its [`Interval`]. Of fewer, instructions are between those that the worst luck in all rounds would give; time, of
    /// which a boot has one round, is not known to be between any.
    pub fn ratio(&self, flavor: &str, cell: Cell) -> Option<Ratio> {
        let of_stock = Cell { receiver: Receiver::Recvmmsg, ..cell };
        let stock = self.figure("stock", of_stock)?;
        let Figure { min, median, max } = self.figure(flavor, cell)?;
        let interval = Interval::of_ratio(&self.medians(flavor, cell), &self.medians("stock", of_stock));
        let worst = Interval { low: min / stock.max, high: max / stock.min };
        let ends = interval.or((self.setting.unit == Unit::Instructions).then_some(worst));
        Some(Ratio { median: median / stock.median, ends })
    }

    /// Whether it can be told how far measurements of a flavor's cell are apart: of instructions each boot has rounds.
    pub fn repeats(&self, flavor: &str, cell: Cell) -> bool {
        self.setting.unit == Unit::Instructions
            || self.boots(flavor, cell).count() >= Interval::LEAST_RUNS as usize
    }

    /// What another way to receive takes on stock, and a remembered array in the same shape; none unless both were
    /// measured so often that it can be told.
    pub fn beside(&self, peer: Cell) -> Option<(Figure, Figure)> {
        let ours = Cell { receiver: Receiver::Remembered, ..peer };
        let told = self.repeats("stock", peer) && self.repeats("fastnet", ours);
        Some((self.figure("stock", peer)?, self.figure("fastnet", ours)?)).filter(|_| told)
    }

    /// Whether a run lost datagrams behind a ratio: of the cell itself, or of stock's that it is a part of. Whoever loses
    /// receives less, and is not as cheap as it looks.
    pub fn lossy(&self, flavor: &str, cell: Cell) -> bool {
        let stock = self.boots("stock", Cell { receiver: Receiver::Recvmmsg, ..cell });
        self.boots(flavor, cell).chain(stock).any(|boot| boot.lost > 0)
    }

    /// Whether a flavor's cell failed in a boot.
    pub fn failed(&self, flavor: &str, cell: Cell) -> bool {
        self.of(flavor, cell).iter().any(|record| record.outcome.failed())
    }

    /// Why a flavor's cell has no figure, if something was said.
    pub fn reason(&self, flavor: &str, cell: Cell) -> Option<&'a str> {
        self.of(flavor, cell).iter().find_map(|record| match &record.outcome {
            Outcome::Measured(_) => None,
            Outcome::Skipped { why } | Outcome::Failed { why, .. } => Some(why.as_str()),
        })
    }
}

/// Each once, in the order of their first coming.
pub fn distinct<T: Eq + Hash>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.collect::<IndexSet<_>>().into_iter().collect()
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
        for (medians, ends) in
            [(&[50.0, 51.0, 52.0, 53.0][..], false), (&[50.0, 51.0, 52.0, 53.0, 54.0], true)]
        {
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
