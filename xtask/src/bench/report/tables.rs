//! Figures as people read them: a line a cell, and tables in Markdown.

use std::fmt::Write as _;

use super::super::cell::{Cell, Receiver, Shape};
use super::super::chapter::{Chapter, distinct};
use super::super::origin::Origin;
use super::super::outcome::Outcome;
use super::super::result::{Measured, Record};
use super::super::statistics::{Figure, Interval, TOLERANCE, apart};
use crate::cli;

/// A record in one line.
pub fn line(record: &Record) -> String {
    let name = format!("{:8} {:34}", record.origin.flavor, record.cell.to_string());
    match &record.outcome {
        Outcome::Measured(measured) => {
            let Figure { min, median, max } = measured.figure;
            let spread = 100.0 * measured.figure.spread();
            let bytes =
                measured.bytes.map_or(String::new(), |bytes| format!(", {} KiB charged", bytes >> 10));
            let Measured { unit, datagrams, lost, .. } = measured;
            if let Some(cpu) = measured.receiver_cpu {
                let lost =
                    if *lost > 0 { format!(", LOST {lost} of {}", datagrams + lost) } else { String::new() };
                return format!("{name} {median:9.1} {unit}, {cpu:.1} of the receiver's CPU{lost}");
            }
            format!("{name} {median:9.1} {unit} ({min:.1}..{max:.1}, {spread:.2} %){bytes}")
        }
        Outcome::Skipped { why } => format!("{name} skipped: {why}"),
        Outcome::Failed { verdict, why } => format!("{name} {}: {why}", verdict.to_uppercase()),
    }
}

/// The tables of a chapter: one a kernel, a row a shape, a column a receiver.
pub fn tables(chapter: &Chapter<'_>) -> String {
    let mut text = String::new();
    for flavor in chapter.flavors() {
        let mut of = chapter.records.iter().filter(|record| record.origin.flavor == flavor);
        if let Some((first, measured)) = of.find_map(|record| Some((record, record.measured()?))) {
            let Origin { release, config, accel, cpu, qemu, .. } = &first.origin;
            let over = chapter.setting.link.over();
            // Writing to a String cannot fail, here and below.
            let _ = write!(text, "\n**{release}**, config {config}{over}: {} a datagram", measured.unit);
            let _ = writeln!(text, " ({accel}, CPU {cpu}, {qemu})");
        }
        let (remembering, receiving): (Vec<_>, Vec<_>) =
            chapter.cells_of(flavor).into_iter().partition(|cell| cell.receiver.only_remembers());
        if !receiving.is_empty() {
            text += &table(chapter, flavor, &receiving);
        }
        text += &remembered(chapter, flavor, &remembering);
    }
    text
}

/// What `remember_mmsghdr()` itself costs.
fn remembered(chapter: &Chapter<'_>, flavor: &str, cells: &[Cell]) -> String {
    let mut text = String::new();
    for &cell in cells {
        if text.is_empty() {
            text += "\n| `remember_mmsghdr()` | a message | kernel memory |\n|---|--:|--:|\n";
        }
        let measured = chapter.boots(flavor, cell).last();
        if let (Some(figure), Some(measured)) = (chapter.figure(flavor, cell), measured) {
            let kib = measured.bytes.unwrap_or_default() >> 10;
            let layout = cli::name(&cell.receiver).replace("remember_", "");
            let _ = writeln!(
                text,
                "| {} {layout} messages | {:.1} | {kib} KiB |",
                cell.shape.messages, figure.median
            );
        }
    }
    text
}

fn table(chapter: &Chapter<'_>, flavor: &str, cells: &[Cell]) -> String {
    let receivers = distinct(cells.iter().map(|cell| cell.receiver));
    let mut text = "\n| bytes | a call | |".to_owned();
    for receiver in &receivers {
        let _ = write!(text, " {} |", cli::name(receiver));
    }
    let _ = write!(text, "\n|--:|--:|---|{}\n", "--:|".repeat(receivers.len()));
    for shape in distinct(cells.iter().map(|cell| cell.shape)) {
        let Shape { family, size, messages, name, .. } = shape;
        let name = if name { ", name" } else { "" };
        let _ = write!(text, "| {size} | {messages} | {}{name} |", cli::name(&family));
        let stock = chapter.medians("stock", Cell { receiver: Receiver::Recvmmsg, shape });
        for &receiver in &receivers {
            let cell = Cell { receiver, shape };
            text += &entry(&chapter.medians(flavor, cell), &stock, chapter.lossy(flavor, cell));
        }
        text.push('\n');
    }
    text
}

/// A cell of a table: the median of all boots; where stock was measured the ratio to it, and of five boots or more how
/// sure that is; and whether datagrams were lost behind it.
fn entry(boots: &[f64], stock: &[f64], lossy: bool) -> String {
    let lossy = if lossy { ", lossy" } else { "" };
    let median = |boots| Figure::of(boots).map(|figure| figure.median);
    match (median(boots), median(stock), Interval::of_ratio(boots, stock)) {
        (Some(median), Some(stock), Some(Interval { low, high })) => {
            format!(" {median:.0} ({:.3}, {low:.3} to {high:.3}{lossy}) |", median / stock)
        }
        (Some(median), Some(stock), None) => format!(" {median:.0} ({:.3}{lossy}) |", median / stock),
        (Some(median), None, _) => format!(" {median:.0} |"),
        (None, ..) => " |".to_owned(),
    }
}

/// The cells whose boots differ by more than is tolerated, a line each, and how many were measured more than once.
pub fn disagreements(chapter: &Chapter<'_>) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    let mut repeated = 0;
    for flavor in chapter.flavors() {
        for cell in chapter.cells_of(flavor) {
            let medians = chapter.medians(flavor, cell);
            if medians.len() > 1 {
                repeated += 1;
                let apart = apart(&medians);
                if apart > TOLERANCE {
                    let medians: Vec<_> = medians.iter().map(|median| format!("{median:.1}")).collect();
                    lines.push(format!("{flavor:8} {cell}: {} ({:.2} %)", medians.join(", "), 100.0 * apart));
                }
            }
        }
    }
    (lines, repeated)
}

/// The runs in which datagrams were lost, a line each.
pub fn losses(records: &[&Record]) -> Vec<String> {
    let lossy = |record: &&Record| record.measured().is_some_and(|measured| measured.lost > 0);
    records.iter().copied().filter(lossy).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::Link;
    use super::super::super::chapter::chapters;
    use super::*;

    fn record(flavor: &str, receiver: Receiver, messages: u32, boot: u32, median: f64) -> Record {
        let mut record = Record::sample(flavor, receiver, messages, boot, median);
        record.cell.shape.name = messages == 8;
        if let Outcome::Measured(measured) = &mut record.outcome {
            measured.bytes = (receiver == Receiver::RememberUniform).then_some(4096);
        }
        record
    }

    #[test]
    fn ratios_are_to_stock_of_the_same_shape() {
        let mut records = [
            record("fastnet", Receiver::Remembered, 1000, 1, 400.0),
            record("fastnet", Receiver::Remembered, 8, 1, 900.0),
            record("fastnet", Receiver::RememberUniform, 1000, 1, 50.0),
            record("fastnet", Receiver::RememberUniform, 1000, 2, 52.0),
            record("stock", Receiver::Recvmmsg, 1000, 1, 1600.0),
            record("stock", Receiver::Recvmmsg, 1000, 2, 1602.0),
            record("stock", Receiver::IoUringRecv, 8, 1, 1500.0),
        ];
        records[1].outcome = Outcome::Skipped { why: "no room".into() };
        let expected = "
**6.12.117-stock**, config vm: instructions a datagram (icount, CPU qemu64, QEMU)

| bytes | a call | | recvmmsg | io_uring_recv |
|--:|--:|---|--:|--:|
| 64 | 1000 | ipv4 | 1601 (1.000) | |
| 64 | 8 | ipv4, name | | 1500 |

**6.12.117-fastnet**, config vm: instructions a datagram (icount, CPU qemu64, QEMU)

| bytes | a call | | remembered |
|--:|--:|---|--:|
| 64 | 1000 | ipv4 | 400 (0.250) |
| 64 | 8 | ipv4, name | |

| `remember_mmsghdr()` | a message | kernel memory |
|---|--:|--:|
| 1000 uniform messages | 51.0 | 4 KiB |
";
        assert_eq!(chapters(&records).iter().map(tables).collect::<String>(), expected);
    }

    #[test]
    fn what_came_over_veth_has_a_table_of_its_own() {
        let mut records = [
            record("stock", Receiver::Recvmmsg, 1000, 1, 1600.0),
            record("stock", Receiver::Recvmmsg, 1000, 1, 2000.0),
            record("fastnet", Receiver::AfXdp, 1000, 1, 500.0),
        ];
        records[1].cell.shape.link = Link::Veth;
        records[2].cell.shape.link = Link::Veth;
        let expected = "
**6.12.117-stock**, config vm: instructions a datagram (icount, CPU qemu64, QEMU)

| bytes | a call | | recvmmsg |
|--:|--:|---|--:|
| 64 | 1000 | ipv4 | 1600 (1.000) |

**6.12.117-stock**, config vm, over veth: instructions a datagram (icount, CPU qemu64, QEMU)

| bytes | a call | | recvmmsg |
|--:|--:|---|--:|
| 64 | 1000 | ipv4 | 2000 (1.000) |

**6.12.117-fastnet**, config vm, over veth: instructions a datagram (icount, CPU qemu64, QEMU)

| bytes | a call | | af_xdp |
|--:|--:|---|--:|
| 64 | 1000 | ipv4 | 500 (0.250) |
";
        assert_eq!(chapters(&records).iter().map(tables).collect::<String>(), expected);
    }

    #[test]
    fn five_boots_tell_how_sure_a_ratio_is() {
        assert_eq!(
            entry(&[50.0, 51.0, 52.0, 51.0, 51.0], &[100.0; 5], false),
            " 51 (0.510, 0.500 to 0.520) |"
        );
        assert_eq!(entry(&[50.0, 52.0], &[100.0; 2], false), " 51 (0.510) |");
        assert_eq!(entry(&[50.0, 52.0], &[100.0; 2], true), " 51 (0.510, lossy) |");
        assert_eq!(entry(&[], &[100.0], false), " |");
    }

    #[test]
    fn boots_that_disagree_are_told() {
        let of = |messages, medians: &[f64]| -> Vec<_> {
            let boots = (1..).zip(medians);
            boots.map(|(boot, &median)| record("stock", Receiver::Recvmmsg, messages, boot, median)).collect()
        };
        let records = [of(1, &[1000.0, 1004.0]), of(64, &[1000.0, 1006.0]), of(1000, &[7.0])].concat();
        let (differ, repeated) = disagreements(&chapters(&records)[0]);
        assert_eq!(differ, ["stock    recvmmsg/ipv4/64/64: 1000.0, 1006.0 (0.60 %)"]);
        assert_eq!(repeated, 2);
    }

    #[test]
    fn a_line_tells_the_spread_or_the_reason() {
        let mut record = record("stock", Receiver::Recvmmsg, 1000, 1, 1600.0);
        assert!(line(&record).ends_with("1600.0 instructions (1599.0..1601.0, 0.13 %)"), "{}", line(&record));
        if let Outcome::Measured(measured) = &mut record.outcome {
            (measured.receiver_cpu, measured.lost) = (Some(900.0), 4);
        }
        assert!(
            line(&record).ends_with("instructions, 900.0 of the receiver's CPU, LOST 4 of 4100"),
            "{}",
            line(&record)
        );
        assert_eq!(losses(&[&record]), [line(&record)]);
        record.outcome = Outcome::Skipped { why: "no room".into() };
        assert!(losses(&[&record]).is_empty());
        assert!(line(&record).ends_with(" skipped: no room"));
        record.outcome = Outcome::Failed { verdict: "panic".into(), why: "Oops".into() };
        assert!(line(&record).ends_with(" PANIC: Oops"));
    }
}
