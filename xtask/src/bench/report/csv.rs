//! Results as comma-separated values, a row each, for whatever draws or counts next.

use super::super::feed::latency::Latency;
use super::super::feed::result::{self as feed, About, RealWorld};
use super::super::hints::Evidence;
use super::super::origin::Origin;
use super::super::outcome::Outcome;
use super::super::profile::Profile;
use super::super::result::Record;
use crate::cli;

/// The cells: as many rows as boots. What they came over is told if it was not the loopback for all.
pub fn cells(records: &[&Record]) -> String {
    let told = records.iter().any(|record| !record.cell.shape.link.is_loopback());
    let link = if told { ",link" } else { "" };
    let head = "release,flavor,config,build,accel,cpu,boot,receiver,family,size,messages,name,outcome,unit,rounds,min,median,max,\
                datagrams,calls,bytes,stream,lost,receiver_cpu,why";
    let rows = records.iter().map(|record| row(record, told));
    format!("{head}{link}\n") + &rows.collect::<String>()
}

fn row(record: &Record, link: bool) -> String {
    let shape = record.cell.shape;
    let outcome = match &record.outcome {
        Outcome::Measured(measured) => {
            let figure = measured.figure;
            let lost = record.stream.map(|_| measured.lost);
            let stream = [measured.bytes, record.stream, lost].map(told);
            let cpu = measured.receiver_cpu.map_or(String::new(), |cpu| format!("{cpu:.3}"));
            let numbers = [figure.min, figure.median, figure.max].map(|number| format!("{number:.3}"));
            let counts = [measured.datagrams, measured.calls].map(|count| count.to_string());
            let head = ["measured".to_owned(), measured.unit.to_string(), measured.rounds.to_string()];
            [&head[..], &numbers, &counts, &stream, &[cpu, String::new()]].concat()
        }
        Outcome::Skipped { why } => nothing("skipped", 11, why),
        Outcome::Failed { verdict, why } => nothing("failed", 11, &format!("{verdict}: {why}")),
    };
    let cell = [
        cli::name(&record.cell.receiver),
        cli::name(&shape.family),
        shape.size.to_string(),
        shape.messages.to_string(),
        shape.name.to_string(),
    ];
    let link = link.then(|| cli::name(&shape.link));
    let fields = origin(&record.origin).into_iter().chain(cell).chain(outcome).chain(link);
    line(&fields.collect::<Vec<_>>())
}

/// The fields of what has none of so many figures.
fn nothing(outcome: &str, figures: usize, why: &str) -> Vec<String> {
    let mut fields = vec![outcome.to_owned()];
    fields.resize(1 + figures, String::new());
    fields.push(why.to_owned());
    fields
}

/// The feeds: a row a run, of which those with stamps have latencies, null ones being those of lost datagrams.
pub fn feeds(runs: &[&RealWorld]) -> String {
    let head = "release,flavor,config,build,accel,cpu,boot,sender,receiver,stamps,buffer,feed,datagrams,duration,outcome,received,lost,\
                gaps,disordered,calls,ns,rate,late,arrival_p50,arrival_p99,arrival_p99_9,arrival_max,schedule_p50,schedule_p99,\
                schedule_p99_9,schedule_max,why";
    let row = |run: &&RealWorld| {
        let About { name, datagrams, duration, .. } = &run.feed;
        let asked = [
            run.sender.clone(),
            cli::name(&run.receiver),
            run.stamps.to_string(),
            run.buffer.to_string(),
            name.clone(),
            datagrams.to_string(),
            duration.to_string(),
        ];
        line(&[&origin(&run.origin)[..], &asked, &came(run)].concat())
    };
    format!("{head}\n") + &runs.iter().map(row).collect::<String>()
}

fn came(run: &RealWorld) -> Vec<String> {
    let measured = match &run.outcome {
        Outcome::Measured(measured) => measured,
        Outcome::Skipped { why } => return nothing("skipped", 16, why),
        Outcome::Failed { verdict, why } => return nothing("failed", 16, &format!("{verdict}: {why}")),
    };
    let feed::Measured { received, lost, gaps, disordered, calls, ns, rate, late, latency } = measured;
    let counts = [received, lost, gaps, disordered, calls].map(u64::to_string);
    let quantiles = |of: &Latency| [of.p50, of.p99, of.p99_9, of.max].map(told);
    let [arrival, schedule] =
        latency.as_ref().map(|both| [&both.arrival, &both.schedule].map(quantiles)).unwrap_or_default();
    let costs = [format!("{ns:.3}"), format!("{rate:.3}"), late.to_string()];
    [&["measured".to_owned()][..], &counts, &costs, &arrival, &schedule, &[String::new()]].concat()
}

/// The profiles: a row a function, with its own instructions a datagram.
pub fn functions(profiles: &[&Profile]) -> String {
    let mut text = "release,flavor,config,build,accel,cpu,boot,cell,function,instructions\n".to_owned();
    for profile in profiles {
        let cell = profile.traced.cell.to_string();
        for (function, each) in profile.functions() {
            let own = [cell.clone(), function.to_owned(), format!("{each:.3}")];
            text += &line(&[&origin(&profile.origin)[..], &own].concat());
        }
    }
    text
}

/// The hints: a row each, those that were never reached with no counts.
pub fn hints(evidence: &[&Evidence]) -> String {
    let mut text =
        "release,flavor,config,build,accel,cpu,boot,path,line,function,text,right,wrong\n".to_owned();
    for Evidence { origin: of, judged } in evidence {
        let reached = judged.reached.iter().map(|seen| (&seen.hint, Some(seen.count)));
        for (hint, count) in reached.chain(judged.never.iter().map(|hint| (hint, None))) {
            let place = [
                hint.path.display().to_string(),
                hint.line.to_string(),
                hint.function.clone(),
                hint.text.clone(),
            ];
            let counts = [count.map(|count| count.right), count.map(|count| count.wrong)].map(told);
            text += &line(&[&origin(of)[..], &place, &counts].concat());
        }
    }
    text
}

/// What every row begins with.
fn origin(origin: &Origin) -> [String; 7] {
    let Origin { release, flavor, config, build, accel, cpu, boot, .. } = origin.clone();
    [release, flavor, config, build, accel, cpu, boot.to_string()]
}

/// A number, or an empty field.
fn told(number: Option<u64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

fn line(fields: &[String]) -> String {
    fields.iter().map(|field| quoted(field)).collect::<Vec<_>>().join(",") + "\n"
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
    use super::super::super::feed::result::Way;
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
    fn a_feeds_rows_have_a_field_a_column() {
        let run = |outcome| RealWorld::sample("stock", Way::Recvmmsg, outcome);
        let measured = |lost, stamps| Outcome::Measured(feed::Measured::sample(812.0, lost, stamps));
        let failed = Outcome::Failed { verdict: "panic".into(), why: "Oops".into() };
        let runs = [run(measured(0, false)), run(measured(3, true)), run(failed)];
        let text = feeds(&runs.each_ref());
        let counts: Vec<_> = text.lines().map(|line| line.split(',').count()).collect();
        assert_eq!(counts, [32; 4]);
        assert!(text.contains(",997,3,3,0,100,812.000,9999.500,5000,1503,25087,,"), "{text}");
        assert!(text.trim_end().ends_with(",panic: Oops"), "{text}");
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
