//! By what all was measured, as tables.

use super::super::chapter::distinct;
use super::super::origin::{Guest, Made, Origin};
use super::super::result::Line;

const KERNEL: &[&str] = &[
    "kernel",
    "config",
    "SHA-256 of image",
    "compiler",
    "of patches",
    "of .config",
    "fastnet's commit",
    "guest",
];
const GUEST: &[&str] = &["guest", "accelerator", "CPU", "CPUs", "memory", "QEMU", "host"];
/// What old lines do not say.
const NONE: &str = "–";

/// Names of columns, and rows as long.
pub struct Table {
    /// Above the columns.
    pub heads: &'static [&'static str],
    /// Below.
    pub rows: Vec<Vec<String>>,
}

/// The kernels, each with the number of the guest it ran in, and those guests.
pub fn tables(lines: &[Line]) -> [Table; 2] {
    let guest = |origin: &Origin| {
        let Origin { accel, cpu, qemu, host, guest, .. } = origin.clone();
        let [memory, cpus] = guest.map_or([NONE.to_owned(), NONE.to_owned()], |Guest { memory, cpus }| {
            [format!("{memory} MiB"), cpus.to_string()]
        });
        vec![accel, cpu, cpus, memory, qemu, host.to_string()]
    };
    let guests = distinct(lines.iter().map(|line| guest(line.origin())));
    let number =
        |origin: &Origin| guests.iter().position(|known| *known == guest(origin)).map_or(0, |at| at + 1);
    let kernel = |origin: &Origin| {
        let Origin { release, config, build, made, .. } = origin.clone();
        let made = made.map_or([NONE; 4].map(str::to_owned), |made| {
            let Made { compiler, series, config, fastnet } = made;
            [compiler, short(&series), short(&config), fastnet.unwrap_or_else(|| NONE.to_owned())]
        });
        [&[release, config, short(&build)], &made[..], &[number(origin).to_string()]].concat()
    };
    let kernels = distinct(lines.iter().map(|line| kernel(line.origin())));
    let numbered =
        guests.iter().enumerate().map(|(at, guest)| [&[(at + 1).to_string()], &guest[..]].concat());
    [Table { heads: KERNEL, rows: kernels }, Table { heads: GUEST, rows: numbered.collect() }]
}

/// As much of a digest as tells it from others.
fn short(digest: &str) -> String {
    digest.get(..12).unwrap_or(digest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::Receiver;
    use super::super::super::result::Record;
    use super::*;

    #[test]
    fn a_kernel_has_a_row_for_each_guest_that_it_ran_in() {
        let stock = |boot| Record::sample("stock", Receiver::Recvmmsg, 8, boot, 1.0);
        let mut elsewhere = stock(3);
        elsewhere.origin.host.cores = 64;
        let mut patched = Record::sample("fastnet", Receiver::Recvmmsg, 8, 1, 1.0);
        patched.origin.made = Some(Made {
            compiler: "gcc 12".into(),
            series: "abcdef0123456789".into(),
            config: "–".into(),
            fastnet: Some("v1-dirty".into()),
        });
        let [kernels, guests] = tables(&[stock(1), stock(2), elsewhere, patched].map(Line::Local));
        let last =
            |table: &Table| -> Vec<_> { table.rows.iter().filter_map(|row| row.last().cloned()).collect() };
        assert_eq!(last(&kernels), ["1", "2", "1"]);
        assert_eq!(kernels.rows[2][2..7], ["0123", "gcc 12", "abcdef012345", "–", "v1-dirty"]);
        assert_eq!(last(&guests), ["Linux 6.1 on 2 x A CPU", "Linux 6.1 on 64 x A CPU"]);
        for table in [kernels, guests] {
            assert!(table.rows.iter().all(|row| row.len() == table.heads.len()));
        }
    }
}
