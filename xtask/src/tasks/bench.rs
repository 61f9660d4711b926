//! `cargo xtask bench local`: what receiving costs over a guest's loopback.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::test_in_vm::explain;
use crate::bench::plan::{self, Cell};
use crate::bench::report;
use crate::bench::result::{self, Line, Record};
use crate::bench::run::{Bench, Subject};
use crate::cli::{self, BenchArgs, Flavor, KernelArgs};
use crate::digest;
use crate::exit::{self, Classify, Exit};
use crate::guest::verdict;
use crate::host::{self, Purpose};
use crate::kernel;
use crate::progress::{Progress, Unit};
use crate::workspace::Workspace;

/// Runs the command.
pub fn run(workspace: &Workspace, arguments: &BenchArgs) -> Result<()> {
    let sheet = Sheet::open(arguments.json.as_deref())?;
    let subjects = subjects(workspace, arguments)?;
    let cells: usize = subjects.iter().map(|subject| subject.cells.len()).sum();
    let bench = Bench::prepare(workspace, subjects, arguments.accel)?;
    if let Some(notice) = &bench.notice {
        println!("{notice}");
    }
    println!("logs in {}", bench.folder.display());
    sheet.start(cells as u64 * u64::from(arguments.repeat))?;
    let (cases, not_run) = bench.run(arguments.repeat, &|record| sheet.add(record))?;
    let records = sheet.finish()?;
    for case in cases.iter().filter(|case| case.verdict.exit().is_some()) {
        explain(case);
    }
    // What a guest said that passed and still makes no sense is an end like a guest's own.
    let senseless = records.iter().any(Record::failed).then_some(Exit::Guest);
    let end = verdict::exit(&cases).or(senseless);
    if matches!(end, Some(Exit::Guest)) {
        let consoles = bench.folder.join("*/console.log");
        println!("\na guest died, {not_run} cells were never reached; consoles: {}", consoles.display());
    }
    println!("{}", report::tables(&records));
    let (differ, repeated) = report::disagreements(&records);
    if repeated > 0 {
        println!("{} of {repeated} cells differ by more than 0.5 % from boot to boot", differ.len());
    }
    for line in differ {
        println!("{line}");
    }
    end.map_or(Ok(()), |exit| Err(exit::said(exit)))
}

/// The kernels to boot, built first unless they were given, and what each is measured in.
fn subjects(workspace: &Workspace, arguments: &BenchArgs) -> Result<Vec<Subject>> {
    let BenchArgs { kernel, bzimage, quick, filter, .. } = arguments;
    let flavors: Vec<_> = match kernel.flavor {
        _ if !bzimage.is_empty() => bzimage.iter().map(|(flavor, _)| *flavor).collect(),
        Some(flavor) => vec![flavor],
        None => plan::flavors(*quick).to_vec(),
    };
    let cells = |flavor: Flavor| -> Vec<Cell> {
        let wanted = |cell: &Cell| filter.as_ref().is_none_or(|filter| cell.to_string().contains(filter));
        plan::cells(*quick, flavor).into_iter().filter(wanted).collect()
    };
    if flavors.iter().all(|flavor| cells(*flavor).is_empty()) {
        let filter = filter.as_deref().unwrap_or_default();
        return Err(exit::error(
            Exit::Usage,
            format!("no cell of the plan has a name with {filter:?} in it"),
        ));
    }
    let mut needed = vec![Purpose::Guest];
    if bzimage.is_empty() {
        needed.extend([Purpose::Fetch, Purpose::Build]);
    }
    host::require(&needed, kernel.yes)?;
    let given = bzimage.iter().map(|(flavor, image)| {
        Ok(Subject {
            flavor: cli::name(flavor),
            config: cli::name(&kernel.config),
            release: None,
            build: digest::sha256_file(image)?,
            bzimage: image.clone(),
            cells: cells(*flavor),
        })
    });
    let built = flavors.iter().filter(|_| bzimage.is_empty()).map(|flavor| {
        let asked = KernelArgs { flavor: Some(*flavor), ..kernel.clone() };
        let manifest = kernel::build_kernel(workspace, &asked)?.manifest;
        Ok(Subject {
            flavor: manifest.flavor,
            config: manifest.config,
            release: Some(manifest.release),
            build: manifest.key,
            bzimage: manifest.bzimage.path,
            cells: cells(*flavor),
        })
    });
    let subjects: Result<Vec<_>> = given.chain(built).collect();
    Ok(subjects?.into_iter().filter(|subject| !subject.cells.is_empty()).collect())
}

/// Where results are shown and written as they come.
struct Sheet(Mutex<Open>);

struct Open {
    progress: Progress,
    file: Option<File>,
    records: Vec<Record>,
    /// What went wrong first.
    error: Option<anyhow::Error>,
}

impl Sheet {
    /// Finds out, before hours go by, whether results can be written; a file that holds anything else is left alone.
    fn open(path: Option<&Path>) -> Result<Self> {
        let open = |path: &Path| {
            let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
            let mut old = String::new();
            file.read_to_string(&mut old)?;
            result::read(&old).map(|_| file)
        };
        let file = path.map(|path| {
            open(path).exit(Exit::Usage, || format!("--json {}: it would be overwritten", path.display()))
        });
        let progress = Progress::start("measuring", Unit::Steps, None);
        let file = file.transpose()?;
        Ok(Self(Mutex::new(Open { progress, file, records: Vec::new(), error: None })))
    }

    /// Old results go when new ones are about to come.
    fn start(&self, cells: u64) -> Result<()> {
        let mut open = self.lock();
        open.progress.expect(cells);
        let Some(file) = &mut open.file else { return Ok(()) };
        file.set_len(0)
            .and_then(|()| file.rewind())
            .exit(Exit::Host, || "emptying the results' file".to_owned())
    }

    fn add(&self, record: Record) {
        let mut open = self.lock();
        open.progress.above(|| println!("{}", report::line(&record)));
        if let Err(error) = open.write(record.clone()) {
            open.error.get_or_insert(error);
        }
        open.records.push(record);
        open.progress.set(open.records.len() as u64);
    }

    fn finish(self) -> Result<Vec<Record>> {
        let open = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.error.map_or(Ok(open.records), Err)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn write(&mut self, record: Record) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line = Line::Local(record).to_json()? + "\n";
        file.write_all(line.as_bytes()).exit(Exit::Host, || "writing the results".to_owned())
    }
}
