//! What a chapter's figures say, in sentences: what helps, and where it does not.

use super::super::cell::{Cell, Family, Receiver, Shape};
use super::super::chapter::{Chapter, distinct};
use super::super::result::Unit;
use super::super::statistics::{Figure, Interval, Ratio, TOLERANCE};
use super::{losses, number};
use crate::cli;

/// What a remembered array saves.
pub fn helps(chapter: &Chapter<'_>) -> Vec<String> {
    let unit = chapter.setting.unit;
    let base = chapter.base();
    let remembered = Cell { receiver: Receiver::Remembered, shape: base };
    let mut said = Vec::new();
    let stock = Cell { receiver: Receiver::Recvmmsg, ..remembered };
    if let (Some(stock), Some(figure), Some(ratio)) = (
        chapter.figure("stock", stock),
        chapter.figure("fastnet", remembered),
        chapter.ratio("fastnet", remembered).filter(Ratio::tells),
    ) {
        said.push(format!(
            "A datagram of 64 bytes, 1000 a call, takes {} {unit} into a remembered array where stock recvmmsg() takes \
             {}: {:.3} of it.",
            number(figure.median),
            number(stock.median),
            ratio.median,
        ));
    }
    let along = |what: &str, shapes: Vec<(String, Shape)>| {
        let ratio = |shape| chapter.ratio("fastnet", Cell { receiver: Receiver::Remembered, shape });
        let each =
            shapes.into_iter().filter_map(|(name, shape)| Some((name, ratio(shape).filter(Ratio::tells)?)));
        let each: Vec<_> = each.map(|(name, ratio)| format!("{:.3} {name}", ratio.median)).collect();
        (each.len() > 1).then(|| format!("{what}, as a part of stock's: {}.", each.join(", ")))
    };
    let shapes = || distinct(chapter.cells().into_iter().map(|cell| cell.shape));
    let mut batches: Vec<_> =
        shapes().into_iter().filter(|shape| Shape { messages: base.messages, ..*shape } == base).collect();
    batches.sort_by_key(|shape| shape.messages);
    let batches = batches.into_iter().map(|shape| (format!("at {}", shape.messages), shape));
    said.extend(along("By messages a call, 64 bytes each", batches.collect()));
    let mut sizes: Vec<_> =
        shapes().into_iter().filter(|shape| Shape { size: base.size, ..*shape } == base).collect();
    sizes.sort_by_key(|shape| shape.size.mean());
    let sizes = sizes.into_iter().map(|shape| (format!("at {}", shape.size), shape));
    said.extend(along("By size in bytes, 1000 a call", sizes.collect()));
    let more = [(Family::Ipv4, true), (Family::Ipv6, false), (Family::Ipv6, true)].map(|(family, name)| {
        let with = if name { "with" } else { "without" };
        (format!("over {} {with} the sender's name", family_name(family)), Shape { family, name, ..base })
    });
    said.extend(along("With more to do, 64 bytes, 1000 a call", more.to_vec()));
    for (receiver, shapes) in peers(chapter) {
        let always = shapes.iter().all(|beside| beside.ours.max < beside.peer.min);
        let parts: Vec<_> = shapes.iter().map(|beside| beside.ours.median / beside.peer.median).collect();
        if let Some(Figure { min, max, .. }) = Figure::of(&parts).filter(|_| always) {
            said.push(format!(
                "Less than stock's {} takes in all of {} shapes: {min:.3} to {max:.3} of it.",
                cli::name(&receiver),
                parts.len(),
            ));
        }
    }
    said
}

/// What a shape takes by another way to receive on stock, and into a remembered array. One takes less than the other if
/// the most of it does than the least of the other, in whatever boot and round.
struct Beside {
    shape: Shape,
    peer: Figure,
    ours: Figure,
}

/// The other ways to receive on stock, each in the shapes that a remembered array was measured in, too, both often enough.
fn peers(chapter: &Chapter<'_>) -> Vec<(Receiver, Vec<Beside>)> {
    let beside = |cell: Cell| {
        let (peer, ours) = chapter.beside(cell)?;
        Some(Beside { shape: cell.shape, peer, ours })
    };
    let shapes = |receiver| {
        let cells = chapter.cells().into_iter().filter(|cell| cell.receiver == receiver);
        (receiver, cells.filter_map(beside).collect())
    };
    distinct(chapter.cells().into_iter().map(|cell| cell.receiver))
        .into_iter()
        .filter(|receiver| *receiver != Receiver::Recvmmsg)
        .map(shapes)
        .collect()
}

/// Where a remembered array takes more, saves little, or is beaten; and what the patches cost those who remember nothing.
pub fn limits(chapter: &Chapter<'_>) -> Vec<String> {
    let mut said = beside_stock(chapter);
    for (receiver, shapes) in peers(chapter) {
        let cheaper: Vec<_> = shapes.iter().filter(|beside| beside.peer.max < beside.ours.min).collect();
        let example = cheaper.iter().find(|beside| beside.shape == chapter.base()).or(cheaper.first());
        if let Some(Beside { shape, peer, ours }) = example {
            let trains =
                if receiver == Receiver::UdpGro { ", of trains of equal sizes from one sender" } else { "" };
            said.push(format!(
                "Stock's {}{trains} takes less in {} of {} shapes: {} against {} at {shape}.",
                cli::name(&receiver),
                cheaper.len(),
                shapes.len(),
                number(peer.median),
                number(ours.median),
            ));
        }
    }
    said.extend(unremembered(chapter));
    said
}

/// Where a remembered array takes more than stock's `recvmmsg()`, may do so, or saves least.
fn beside_stock(chapter: &Chapter<'_>) -> Vec<String> {
    let mut said = Vec::new();
    let mut ratios: Vec<_> = chapter
        .cells()
        .into_iter()
        .filter(|cell| cell.receiver == Receiver::Remembered)
        .filter_map(|cell| Some((cell.shape, chapter.ratio("fastnet", cell)?)))
        .collect();
    ratios.sort_by(|one, other| other.1.median.total_cmp(&one.1.median));
    let tell = |ratios: &[&(Shape, Ratio)]| {
        let each: Vec<_> =
            ratios.iter().take(5).map(|(shape, ratio)| format!("{:.3} at {shape}", ratio.median)).collect();
        let more = ratios.len().saturating_sub(5);
        if more > 0 { format!("{}, and {more} more", each.join(", ")) } else { each.join(", ") }
    };
    let of = |is: fn(Interval) -> bool| -> Vec<_> {
        ratios.iter().filter(|(_, ratio)| ratio.ends.is_some_and(is)).collect()
    };
    let more = of(|ends| ends.low > 1.0);
    let untold: Vec<_> = ratios.iter().filter(|(_, ratio)| !ratio.tells()).collect();
    if !more.is_empty() {
        said.push(format!("It takes more than stock recvmmsg(): {}.", tell(&more)));
    }
    if !untold.is_empty() {
        said.push(format!(
            "More or less than stock recvmmsg(), the boots do not tell, in {} of {} shapes: {}.",
            untold.len(),
            ratios.len(),
            tell(&untold)
        ));
    }
    let least: Vec<_> = ratios.iter().take(3).collect();
    if !least.is_empty() && of(|ends| ends.high < 1.0).len() == ratios.len() {
        said.push(format!("Never more than stock recvmmsg() takes; it saves least at: {}.", tell(&least)));
    }
    said
}

/// The cells that have no figure of some boot, and why; the runs in which datagrams were lost.
pub fn flaws(chapter: &Chapter<'_>) -> [(&'static str, Vec<String>); 2] {
    let mut without = Vec::new();
    for flavor in chapter.flavors() {
        for cell in chapter.cells() {
            without.extend(chapter.reason(flavor, cell).map(|why| format!("{cell} on {flavor}: {why}")));
        }
    }
    let lost = losses(&chapter.records);
    [("Cells that failed or could not be measured in a boot", without), ("Runs that lost datagrams", lost)]
}

/// What the patches cost whoever remembers nothing: each receiver on each flavor, as a part of the same on stock.
/// Instructions are told whatever they are; time only where the boots tell that it is more.
fn unremembered(chapter: &Chapter<'_>) -> Option<String> {
    let mut worst = Vec::new();
    for cell in chapter.cells().into_iter().filter(|cell| chapter.repeats("stock", *cell)) {
        let Some(stock) = chapter.figure("stock", cell) else { continue };
        for flavor in chapter.flavors().into_iter().filter(|flavor| *flavor != "stock") {
            if let Some(figure) = chapter.figure(flavor, cell).filter(|_| chapter.repeats(flavor, cell)) {
                let ratio = figure.median / stock.median;
                let told = chapter.setting.unit == Unit::Instructions || figure.min > stock.max;
                let dearer = told && ratio > 1.0 + TOLERANCE;
                worst.push((ratio, dearer, flavor, cell));
            }
        }
    }
    let dearer = worst.iter().filter(|(_, dearer, ..)| *dearer).count();
    let told = worst.iter().filter(|(_, dearer, ..)| *dearer || chapter.setting.unit == Unit::Instructions);
    let (ratio, _, flavor, cell) = told.max_by(|one, other| one.0.total_cmp(&other.0))?;
    Some(format!(
        "Whoever remembers nothing pays on a patched kernel at most {ratio:.3} of stock's, in {cell} on {flavor}; \
         {dearer} of {} cells are dearer by more than 0.5 %.",
        worst.len(),
    ))
}

fn family_name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "IPv4",
        Family::Ipv6 => "IPv6",
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::chapter::chapters;
    use super::super::super::result::Record;
    use super::*;

    fn said(remembered: f64, patched: f64, gro: f64) -> (String, String) {
        let records = [
            Record::sample("stock", Receiver::Recvmmsg, 1000, 1, 1600.0),
            Record::sample("stock", Receiver::UdpGro, 1000, 1, gro),
            Record::sample("fastnet", Receiver::Recvmmsg, 1000, 1, patched),
            Record::sample("fastnet", Receiver::Remembered, 1000, 1, remembered),
        ];
        let chapter = &chapters(&records)[0];
        (helps(chapter).join("\n"), limits(chapter).join("\n"))
    }

    #[test]
    fn what_helps_is_said_and_what_does_not_too() {
        let (helps, limits) = said(400.0, 1590.0, 40.0);
        assert!(helps.contains("takes 400 instructions") && helps.contains("1600: 0.250 of it"), "{helps}");
        assert!(!helps.contains("udp_gro"), "{helps}");
        assert!(limits.contains("Never more"), "{limits}");
        assert!(limits.contains("udp_gro") && limits.contains("40.0 against 400"), "{limits}");
        assert!(limits.contains("0.994 of stock's") && limits.contains("0 of 1 cells"), "{limits}");
    }

    #[test]
    fn where_it_takes_more_is_said() {
        let (helps, limits) = said(1616.0, 1632.0, 2000.0);
        let less = "Less than stock's udp_gro takes in all of 1 shapes: 0.808 to 0.808 of it.";
        assert!(helps.contains(less), "{helps}");
        assert!(limits.contains("It takes more than stock recvmmsg(): 1.010 at ipv4/64/1000"), "{limits}");
        assert!(!limits.contains("udp_gro"), "{limits}");
        assert!(limits.contains("1.020 of stock's") && limits.contains("1 of 1 cells"), "{limits}");
    }

    #[test]
    fn what_boots_do_not_tell_is_said_to_be_untold() {
        let records = timed(&[
            ("stock", Receiver::Recvmmsg, [1600.0, 1650.0, 1700.0, 1650.0, 1620.0]),
            ("stock", Receiver::Recv, [1610.0, 1640.0, 1690.0, 1650.0, 1630.0]),
            ("fastnet", Receiver::Remembered, [1600.0, 1650.0, 1690.0, 1640.0, 1660.0]),
        ]);
        let chapter = &chapters(&records)[0];
        let limits = limits(chapter).join("\n");
        assert!(
            limits.contains("the boots do not tell, in 1 of 1 shapes: 1.000 at ipv4/64/1000."),
            "{limits}"
        );
        assert!(!limits.contains("Never more") && !limits.contains("It takes more"), "{limits}");
        assert!(
            !limits.contains("Stock's recv") && !helps(chapter).join("").contains("Less than"),
            "{limits}"
        );
    }

    /// Runs under a clock, a boot each.
    fn timed(cells: &[(&str, Receiver, [f64; 5])]) -> Vec<Record> {
        let of = |(flavor, receiver, medians): &(&str, Receiver, [f64; 5])| {
            (1..)
                .zip(*medians)
                .map(|(boot, median)| Record::sample(flavor, *receiver, 1000, boot, median))
                .collect()
        };
        let mut records = cells.iter().map(of).collect::<Vec<Vec<_>>>().concat();
        for record in &mut records {
            record.origin.accel = "tcg".into();
        }
        records
    }

    /// All of them differ the same way, as three boots each do in 11 of 100 comparisons where nothing differs.
    #[test]
    fn of_time_nothing_is_claimed_behind_fewer_than_five_boots() {
        let dearer = [300.0, 310.0, 320.0, 315.0, 305.0];
        let cells = [
            ("stock", Receiver::Recvmmsg, [200.0, 210.0, 220.0, 215.0, 205.0]),
            ("stock", Receiver::Recv, [100.0, 110.0, 120.0, 115.0, 105.0]),
            ("fastnet", Receiver::Remembered, dearer),
            ("fastnet", Receiver::Recvmmsg, dearer),
        ];
        for boots in [4, 5] {
            let mut records = timed(&cells);
            records.retain(|record| record.origin.boot <= boots);
            let chapter = &chapters(&records)[0];
            let (helps, limits) = (helps(chapter), limits(chapter).join("\n"));
            let claims = [
                "It takes more than stock recvmmsg(): 1.476",
                "Stock's recv takes less in 1 of 1 shapes",
                "at most 1.476 of stock's, in recvmmsg/ipv4/64/1000 on fastnet; 1 of 1 cells are dearer",
            ];
            for claim in claims {
                assert_eq!(limits.contains(claim), boots == 5, "{boots}: {claim}: {limits}");
            }
            assert_eq!(limits.contains("the boots do not tell, in 1 of 1 shapes"), boots == 4, "{limits}");
            assert_eq!(helps.len(), usize::from(boots == 5), "{helps:?}");
        }
    }
}
