//! Whether a series is fit to be sent: every prefix of it builds and passes in a guest, and the whole adds no
//! warning, passes its own kselftest, and builds without its option and with IPv6 as a module or not at all.
//!
//! All builds walk through one objtree, so that each compiles what differs from the one before. What has passed
//! is kept in a record: a run that was cut short goes on where it was.

mod guest;
mod kselftest;
mod record;
mod step;
mod warnings;

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::cmd;

use crate::cli::{self, Config};
use crate::digest;
use crate::exit::{Exit, error};
use crate::kernel::build::{self, KernelBuild};
use crate::kernel::config::Wanted;
use crate::kernel::launcher::Compilers;
use crate::kernel::patch::{self, PatchedTree};
use crate::kernel::series::{self, Patch, Series};
use crate::kernel::source::SourceTree;
use crate::process;
use crate::workspace::Workspace;
use guest::Call;
use record::Record;
pub use step::Step;
use step::Variant;
use warnings::{Checker, Warnings};

/// The series of one kernel, being checked.
pub struct Check<'a> {
    workspace: &'a Workspace,
    source: SourceTree,
    series: Series,
    record: Record,
    tools: String,
    guest: String,
    compilers: Compilers,
    tree: Option<PatchedTree>,
    stock: Vec<(Checker, Warnings)>,
}

/// What came of a step that did not fail.
pub enum Passed {
    /// It passed in an earlier run: the same source, patches, configuration and tests.
    Before,
    /// It passed now; this is what there is to say of it.
    Now(String),
}

impl<'a> Check<'a> {
    /// Prepares to check the series of `source`.
    pub fn new(workspace: &'a Workspace, source: SourceTree) -> Result<Self> {
        let series = Series::load(&source.patches)?;
        let record = Record::load(&workspace.target.join("kernel"), &format!("{}-check", source.kernel))?;
        let (tools, compilers) = (build::tools()?, Compilers::of_host()?);
        let guest = guest::identity(workspace)?;
        Ok(Self { workspace, source, series, record, tools, guest, compilers, tree: None, stock: Vec::new() })
    }

    /// The patches of the series.
    pub fn patches(&self) -> &[Patch] {
        self.series.all()
    }

    /// Where a step that failed points: to the patch that did it, as far as that is known.
    pub fn place(&self, step: &Step) -> String {
        let name = |number: usize| &self.patches()[number - 1].name;
        match step {
            Step::Mail(number) | Step::Prefix(number) => format!("{} ({step})", name(*number)),
            _ => step.to_string(),
        }
    }

    /// All there is to do, what is quick before what is slow.
    pub fn steps(&self) -> Result<Vec<Step>> {
        let whole = self.patches().len();
        let mut steps: Vec<Step> = (1..=whole).map(Step::Mail).collect();
        let warnings = Checker::ALL.map(Step::Warnings);
        // Before the first patch goes on: later, the way there and back would be compiled anew.
        for step in &warnings {
            if !self.record.has(&self.key(step)?) {
                steps.push(Step::Stock);
                break;
            }
        }
        steps.extend((1..=whole).map(Step::Prefix));
        if !kselftest::sources(self.patches())?.is_empty() {
            steps.push(Step::Kselftest);
        }
        steps.extend(warnings);
        steps.extend(Variant::ALL.map(Step::Variant));
        Ok(steps)
    }

    /// Does one step, unless it passed before. The error says what is wrong.
    pub fn run(&mut self, step: &Step) -> Result<Passed> {
        let key = self.key(step)?;
        if self.record.has(&key) {
            return Ok(Passed::Before);
        }
        let said = match step {
            Step::Mail(number) => self.mail(*number),
            Step::Stock => return self.stock().map(Passed::Now),
            Step::Prefix(number) => self.prefix(*number),
            Step::Kselftest => self.kselftest(),
            Step::Warnings(checker) => self.warnings(*checker),
            Step::Variant(variant) => self.variant(*variant),
        }?;
        self.record.add(key)?;
        Ok(Passed::Now(said))
    }

    /// The sha256 of all that a step's outcome depends on.
    fn key(&self, step: &Step) -> Result<String> {
        let source = &self.source.identity;
        let key = if let Step::Mail(number) = step {
            series::sha256(&self.patches()[number - 1..*number])
        } else {
            let patches = &self.patches()[..step.patches(self.patches().len())];
            let wanted = self.wanted(step)?.sha256();
            let guest = if step.boots() { self.guest.as_str() } else { "" };
            format!("{}\n{wanted}\n{}\n{guest}", series::sha256(patches), self.tools)
        };
        Ok(digest::sha256(format!("{}\n{source}\n{key}", step.kind())))
    }

    /// The configuration of a step's kernel.
    fn wanted(&self, step: &Step) -> Result<Wanted> {
        let wanted = Wanted::load(self.workspace, Config::Vm, &self.flavor(step))?;
        Ok(wanted.with(step.options()))
    }

    /// What a step's kernel calls itself. Only a whole series in full is a flavor: the guest's tests take that
    /// for a promise.
    fn flavor(&self, step: &Step) -> String {
        match (step, self.patches().last()) {
            (Step::Prefix(number), _) if *number < self.patches().len() => "part".to_owned(),
            (Step::Variant(Variant::Off), _) => "off".to_owned(),
            (_, last) => last.map_or_else(|| "stock".to_owned(), |patch| cli::name(&patch.flavor)),
        }
    }

    /// The tree with a step's patches on it.
    fn tree(&mut self, step: &Step) -> Result<&PatchedTree> {
        let flavor = self.flavor(step);
        let patches = &self.series.all()[..step.patches(self.series.all().len())];
        let tree = match self.tree.take() {
            None => patch::apply_in(self.workspace, self.source.clone(), "check", patches, &flavor)?,
            Some(mut tree) => {
                tree.put(patches, &flavor)?;
                tree
            }
        };
        Ok(self.tree.insert(tree))
    }

    fn build(&mut self, step: &Step) -> Result<KernelBuild> {
        let (workspace, wanted, compilers) = (self.workspace, self.wanted(step)?, self.compilers);
        let build = build::build_wanted(workspace, self.tree(step)?, &wanted, compilers)?;
        let complaints = warnings::of_objtool(&build.dir)?;
        if complaints.is_empty() {
            return Ok(build);
        }
        Err(error(Exit::Tests, format!("objtool complains:\n{}", complaints.join("\n"))))
    }

    fn mail(&self, number: usize) -> Result<String> {
        let tree = &self.source.dir;
        let mail = self.series.folder.join(&self.patches()[number - 1].name);
        let shell = process::shell(tree)?;
        let mut said = Vec::new();
        let checkpatch = cmd!(shell, "perl scripts/checkpatch.pl --strict --terse --show-types {mail}");
        let status = process::stream(checkpatch, |line| {
            said.push(line.to_owned());
            Ok(())
        })?;
        if !status.success() {
            return Err(error(Exit::Tests, format!("checkpatch complains:\n{}", said.join("\n"))));
        }
        Ok("clean".to_owned())
    }

    fn prefix(&mut self, number: usize) -> Result<String> {
        let build = self.build(&Step::Prefix(number))?;
        let call = if number == self.patches().len() { Call::Present } else { Call::Any };
        let image = &build.manifest.bzimage.sha256;
        let image = digest::sha256(format!("guest {call:?}\n{image}\n{}", self.guest));
        if self.record.has(&image) {
            return Ok("builds, into a kernel that passed already".to_owned());
        }
        let tested = guest::test(self.workspace, &build.manifest.bzimage.path, call)?;
        self.record.add(image)?;
        Ok(format!("builds, boots, {tested}"))
    }

    fn kselftest(&mut self) -> Result<String> {
        let build = self.build(&Step::Kselftest)?;
        let sources = kselftest::sources(self.patches())?;
        let compilers = self.compilers;
        let tree = self.tree(&Step::Kselftest)?;
        let executables = kselftest::build(&tree.dir, &build.dir, &sources, compilers)?;
        let count = executables.len();
        guest::kselftest(self.workspace, &build.manifest.bzimage.path, executables)?;
        Ok(format!("{count} of {count} pass"))
    }

    fn stock(&mut self) -> Result<String> {
        self.stock = Checker::ALL
            .into_iter()
            .map(|checker| Ok((checker, self.collect(&Step::Stock, checker)?)))
            .collect::<Result<_>>()?;
        let counts =
            self.stock.iter().map(|(checker, warnings)| format!("{} by {checker}", warnings.count()));
        Ok(format!("{} warnings", counts.collect::<Vec<_>>().join(" and ")))
    }

    fn warnings(&mut self, checker: Checker) -> Result<String> {
        let whole = self.collect(&Step::Warnings(checker), checker)?;
        let stock = self.stock.iter().find(|(known, _)| *known == checker).map(|(_, warnings)| warnings);
        let new = whole.beyond(stock.context("stock's warnings come first")?);
        if new.is_empty() {
            return Ok("none that stock has not".to_owned());
        }
        Err(error(Exit::Tests, format!("{} that stock has not:\n{}", new.len(), new.join("\n"))))
    }

    /// What a checker says of the C files that the series touches.
    fn collect(&mut self, step: &Step, checker: Checker) -> Result<Warnings> {
        let (wanted, compilers) = (self.wanted(step)?, self.compilers);
        let objects = warnings::objects(self.patches())?;
        let tree = self.tree(step)?;
        let there = |object: &&PathBuf| tree.dir.join(object.with_extension("c")).exists();
        let objects: Vec<_> = objects.iter().filter(there).collect();
        build::within(tree, &wanted, compilers, |make| warnings::collect(make, checker, &objects))
    }

    fn variant(&mut self, variant: Variant) -> Result<String> {
        let build = self.build(&Step::Variant(variant))?;
        if variant != Variant::Off {
            return Ok("builds".to_owned());
        }
        let tested = guest::test(self.workspace, &build.manifest.bzimage.path, Call::Absent)?;
        Ok(format!("builds, boots, {tested}"))
    }
}
