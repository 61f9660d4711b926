//! Results as comma-separated values, a row each, for whatever draws or counts next.

use super::super::outcome::Outcome;
use super::super::result::Record;
use crate::cli;

/// The cells: as many rows as boots. What they came over is told if it was not the loopback for all.
pub fn cells(records: &[&Record]) -> String {
    let told = records.iter().any(|record| !record.cell.shape.link.is_loopback());
    let link = if told { ",link" } else { "" };
    let head = "release,flavor,config,build,accel,cpu,boot,receiver,family,size,messages,name,outcome,unit,rounds,min,median,max,\
                datagrams,calls,bytes,stream,lost,receiver_cpu,why";
    let rows = records.iter().map(|record| {
        let link = if told { format!(",{}", cli::name(&record.cell.shape.link)) } else { String::new() };
        row(record) + &link + "\n"
    });
    format!("{head}{link}\n") + &rows.collect::<String>()
}

fn row(record: &Record) -> String {
    let origin = &record.origin;
    let shape = record.cell.shape;
    let outcome = match &record.outcome {
        Outcome::Measured(measured) => {
            let figure = measured.figure;
            let told = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
            let lost = record.stream.map(|_| measured.lost);
            let stream = [measured.bytes, record.stream, lost].map(told);
            let cpu = measured.receiver_cpu.map_or(String::new(), |cpu| format!("{cpu:.3}"));
            let numbers = [figure.min, figure.median, figure.max].map(|number| format!("{number:.3}"));
            let counts = [measured.datagrams, measured.calls].map(|count| count.to_string());
            let head = ["measured".to_owned(), measured.unit.to_string(), measured.rounds.to_string()];
            [&head[..], &numbers, &counts, &stream, &[cpu, String::new()]].concat()
        }
        Outcome::Skipped { why } => nothing("skipped", why),
        Outcome::Failed { verdict, why } => nothing("failed", &format!("{verdict}: {why}")),
    };
    let fields = [
        origin.release.clone(),
        origin.flavor.clone(),
        origin.config.clone(),
        origin.build.clone(),
        origin.accel.clone(),
        origin.cpu.clone(),
        origin.boot.to_string(),
        cli::name(&record.cell.receiver),
        cli::name(&shape.family),
        shape.size.to_string(),
        shape.messages.to_string(),
        shape.name.to_string(),
    ];
    let fields: Vec<_> = fields.iter().chain(&outcome).map(|field| quoted(field)).collect();
    fields.join(",")
}

/// The fields of a cell that has no figures.
fn nothing(outcome: &str, why: &str) -> Vec<String> {
    let mut fields = vec![outcome.to_owned()];
    fields.resize(12, String::new());
    fields.push(why.to_owned());
    fields
}

/// A field as RFC 4180 has it.
fn quoted(field: &str) -> String {
    if field.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", field.replace('"', "\"\""))
    } else {
        field.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::cell::{Link, Receiver};
    use super::*;

    #[test]
    fn a_row_has_a_field_a_column_and_quotes_what_needs_it() {
        let measured = Record::sample("stock", Receiver::Recv, 1, 2, 1600.0);
        let mut failed = measured.clone();
        failed.outcome = Outcome::Skipped { why: "no room, \"yet\"".into() };
        let text = cells(&[&measured, &failed]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines[1].split(',').count(), lines[0].split(',').count());
        assert!(
            lines[1].ends_with("measured,instructions,5,1599.000,1600.000,1601.000,4096,1,,,,,"),
            "{}",
            lines[1]
        );
        assert!(lines[2].ends_with(r#"skipped,,,,,,,,,,,,"no room, ""yet""""#), "{}", lines[2]);
    }

    #[test]
    fn a_stream_tells_what_it_lost() {
        let mut record = Record::sample("stock", Receiver::Recvmmsg, 8, 1, 900.0);
        record.stream = Some(50_000);
        if let Outcome::Measured(measured) = &mut record.outcome {
            (measured.lost, measured.receiver_cpu) = (7, Some(450.5));
        }
        let text = cells(&[&record]);
        assert!(text.trim_end().ends_with(",4096,1,,50000,7,450.500,"), "{text}");
    }

    #[test]
    fn a_link_has_a_column_where_there_is_more_than_the_loopback() {
        let plain = Record::sample("stock", Receiver::Recvmmsg, 8, 1, 1600.0);
        let mut over_veth = plain.clone();
        over_veth.cell.shape.link = Link::Veth;
        assert!(cells(&[&plain]).starts_with("release,") && !cells(&[&plain]).contains("link"));
        let text = cells(&[&plain, &over_veth]);
        let last: Vec<_> = text.lines().filter_map(|line| line.rsplit(',').next()).collect();
        assert_eq!(last, ["link", "loopback", "veth"]);
    }
}
