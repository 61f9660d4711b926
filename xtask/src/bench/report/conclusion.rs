//! The conclusion from all chapters, in a few sentences: what helps and how much, where it does not, and who does better.

use super::super::cell::{Cell, Mix, Receiver, Shape, Size};
use super::super::chapter::Chapter;
use super::super::feed::result::{RealWorld, Way};
use super::super::feed::table::settings;
use super::super::statistics::{Figure, Ratio};
use super::{Others, inside, number};

/// The sentences for which there are figures, that boots tell from chance.
pub fn sentences(chapters: &[Chapter<'_>], others: &Others<'_>) -> Vec<String> {
    let helps = each(chapters, |chapter| remembered(chapter, chapter.base()));
    let hints = each(chapters, hints);
    let one = each(chapters, |chapter| remembered(chapter, Shape { messages: 1, ..chapter.base() }));
    let large =
        each(chapters, |chapter| remembered(chapter, Shape { size: Size::Bytes(8192), ..chapter.base() }));
    let trains = each(chapters, |chapter| against(chapter, Receiver::UdpGro, chapter.base()));
    let mixed = |chapter: &Chapter<'_>| Shape { size: Size::Of(Mix::Mixed), ..chapter.base() };
    let mixed = each(chapters, |chapter| against(chapter, Receiver::UdpGro, mixed(chapter)));
    let frames = each(chapters, |chapter| against(chapter, Receiver::AfXdp, chapter.base()));
    let said = [
        (
            "What helps is a remembered array. Of stock recvmmsg()'s cost a datagram of 64 bytes, 1000 a call, takes",
            helps,
        ),
        ("With the branch hints alone recvmmsg() takes, of stock's,", hints),
        (
            "One message a call leaves nothing to do for many at once: a remembered array takes, of stock's,",
            one,
        ),
        ("Of large messages, 8192 bytes, the copy is what costs: it takes, of stock's,", large),
        ("UDP_GRO, for trains of one size from one sender, beside a remembered array:", trains),
        ("UDP_GRO, for mixed sizes, which make no trains:", mixed),
        ("AF_XDP, which has a queue of the card to itself, beside a remembered array:", frames),
    ];
    let figures = said.into_iter().filter_map(|(what, figures)| Some(format!("{what} {}.", figures?)));
    figures.chain(inside::gain(&others.profiles)).chain(lone(&others.runs)).collect()
}

/// What there is to say of each chapter, and which it is.
fn each(chapters: &[Chapter<'_>], say: impl Fn(&Chapter<'_>) -> Option<String>) -> Option<String> {
    let of = |chapter: &Chapter<'_>| {
        let setting = &chapter.setting;
        let (version, config, accel, link) =
            (&setting.version, &setting.config, &setting.accel, setting.link.over());
        Some(format!("{} (Linux {version}, {config}, {accel}{link})", say(chapter)?))
    };
    let said: Vec<_> = chapters.iter().filter_map(of).collect();
    (!said.is_empty()).then(|| said.join("; "))
}

fn remembered(chapter: &Chapter<'_>, shape: Shape) -> Option<String> {
    let cell = Cell { receiver: Receiver::Remembered, shape };
    chapter.ratio("fastnet", cell).filter(Ratio::tells).map(|ratio| ratio.to_string())
}

/// What the hints leave of stock's cost: the middle of all shapes, and the ends.
fn hints(chapter: &Chapter<'_>) -> Option<String> {
    let cells = chapter.cells().into_iter().filter(|cell| cell.receiver == Receiver::Recvmmsg);
    let ratios: Vec<_> =
        cells.filter_map(|cell| Some(chapter.ratio("hints", cell).filter(Ratio::tells)?.median)).collect();
    let Figure { min, median, max } = Figure::of(&ratios)?;
    Some(format!("{median:.3}, from {min:.3} to {max:.3} in {} shapes", ratios.len()))
}

/// A peer on stock, and a remembered array, if one takes less than the other in every boot and round.
fn against(chapter: &Chapter<'_>, peer: Receiver, shape: Shape) -> Option<String> {
    let (peer, ours) = chapter.beside(Cell { receiver: peer, shape })?;
    if peer.min <= ours.max && ours.min <= peer.max {
        return None;
    }
    let unit = chapter.setting.unit;
    Some(format!("{} {unit} against {} at {shape}", number(peer.median), number(ours.median)))
}

/// Of feeds: what a remembered array takes where datagrams come when they come.
fn lone(runs: &[&RealWorld]) -> Vec<String> {
    let of = |runs: &[&RealWorld], flavor: &str, way| {
        let of = |run: &&&RealWorld| run.origin.flavor == flavor && run.receiver == way && !run.stamps;
        let measured = || runs.iter().filter(of).filter_map(|run| run.measured());
        let ns: Vec<_> = measured().map(|measured| measured.ns).collect();
        let batches: Vec<_> = measured().map(super::feed::per_call).collect();
        Some((Figure::of(&ns)?.median, Figure::of(&batches)?.median))
    };
    let told = settings(runs).into_iter().filter_map(|(setting, runs)| {
        let (stock, _) = of(&runs, "stock", Way::Recvmmsg)?;
        let (ours, batch) = of(&runs, "fastnet", Way::Remembered)?;
        Some(format!(
            "In a feed, a call brings what has come, lone datagrams and bursts: {batch:.1} a call under {}, and a remembered \
             array takes {:.3} of stock recvmmsg()'s nanoseconds a datagram (Linux {}, {}).",
            setting.accel,
            ours / stock,
            setting.version,
            setting.config,
        ))
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::chapter::chapters;
    use super::super::super::feed::result::Measured;
    use super::super::super::outcome::Outcome;
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn all_that_was_measured_has_its_sentence_and_nothing_else() {
        let of = |flavor, receiver, median, change: fn(&mut Shape)| {
            let mut record = Record::sample(flavor, receiver, 1000, 1, median);
            change(&mut record.cell.shape);
            record
        };
        let mut records = vec![
            of("stock", Receiver::Recvmmsg, 1600.0, |_| ()),
            of("fastnet", Receiver::Remembered, 400.0, |_| ()),
        ];
        let say = |records: &[Record], runs: &[&RealWorld]| {
            sentences(&chapters(records), &Others { runs: runs.to_vec(), ..Others::default() })
        };
        let said = say(&records, &[]);
        assert_eq!(said.len(), 1);
        assert!(said[0].ends_with("takes 0.250 (0.249–0.251) (Linux 6.12.117, vm, icount)."), "{}", said[0]);
        records.extend([
            of("hints", Receiver::Recvmmsg, 1584.0, |_| ()),
            of("stock", Receiver::UdpGro, 40.0, |_| ()),
            of("stock", Receiver::Recvmmsg, 3000.0, |shape| shape.size = Size::Bytes(8192)),
            of("fastnet", Receiver::Remembered, 2400.0, |shape| shape.size = Size::Bytes(8192)),
            of("stock", Receiver::Recvmmsg, 2000.0, |shape| shape.messages = 1),
            of("fastnet", Receiver::Remembered, 1900.0, |shape| shape.messages = 1),
        ]);
        let run = |flavor, way, ns| {
            RealWorld::sample(flavor, way, Outcome::Measured(Measured::sample(ns, 0, false)))
        };
        let (stock, ours) = (run("stock", Way::Recvmmsg, 800.0), run("fastnet", Way::Remembered, 600.0));
        let said = say(&records, &[&stock, &ours]);
        for (sentence, part) in said.iter().zip([
            "takes 0.250 (",
            "of stock's, 0.990, from 0.990 to 0.990 in 1 shapes (",
            "of stock's, 0.950 (",
            "of stock's, 0.800 (",
            "40.0 instructions against 400 at ipv4/64/1000",
            "10.0 a call under icount, and a remembered array takes 0.750",
        ]) {
            assert!(sentence.contains(part), "{part} is not in {sentence}");
        }
        assert_eq!(said.len(), 6);
        // A clock, and too few boots: chance might say the same.
        for record in &mut records {
            record.origin.accel = "tcg".into();
        }
        assert_eq!(say(&records, &[]), [""; 0]);
    }
}
