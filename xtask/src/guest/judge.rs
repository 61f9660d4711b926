//! What a guest's reports and console, taken together, say of each test.
//!
//! The two come by different ways and at different speeds, so the runner marks the start and the end of each test
//! on both. A complaint of the kernel belongs to the test between whose marks it stands on the console, and a
//! verdict is final once both have passed the test's end.

use std::mem;
use std::time::{Duration, Instant};

use super::console::Excerpt;
use super::ktap::{self, Line, Outcome};
use super::splat::{self, Meaning};
use super::verdict::{Case, Verdict};

/// Why no more will come from a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// QEMU ended by itself, in this way.
    Exited(String),
    /// It was killed, for this: silence, or too long a life.
    Killed(String),
}

/// Turns lines into verdicts.
#[derive(Debug)]
pub struct Judge {
    /// In the order of their start, which is the same on both ways.
    tests: Vec<Test>,
    /// The console is behind so many of them.
    console_behind: usize,
    place: Place,
    plan: Option<usize>,
    results: usize,
    panic: Option<String>,
    bail_out: Option<String>,
    finished: Vec<Case>,
}

/// Where the console is.
#[derive(Debug)]
enum Place {
    Test(usize),
    Between(String, Excerpt),
}

#[derive(Debug)]
struct Test {
    name: String,
    started: Instant,
    result: Option<(Outcome, String, Duration)>,
    output: Vec<String>,
    console: Excerpt,
    told: bool,
}

impl Judge {
    /// The runner bounds what it sends; this bounds what a runner gone mad can make the host keep.
    const OUTPUT_LINES: usize = 4000;

    /// For a guest that is about to boot.
    pub fn new() -> Self {
        Self {
            tests: Vec::new(),
            console_behind: 0,
            place: Place::Between("boot".to_owned(), Excerpt::default()),
            plan: None,
            results: 0,
            panic: None,
            bail_out: None,
            finished: Vec::new(),
        }
    }

    /// How many results the runner promised, once it did.
    pub fn plan(&self) -> Option<usize> {
        self.plan
    }

    /// Whether the verdict of every test that the runner promised is final.
    pub fn complete(&self) -> bool {
        self.plan == Some(self.results) && self.tests.iter().all(|test| test.told)
    }

    /// Whether a test has started.
    pub fn started(&self) -> bool {
        !self.tests.is_empty()
    }

    /// Whether the guest said that it is dying: there is no use in waiting long for its end.
    pub fn doomed(&self) -> bool {
        self.panic.is_some() || self.bail_out.is_some()
    }

    /// Takes a line of the runner's, seen at `now`.
    pub fn ktap(&mut self, line: &str, now: Instant) {
        match ktap::parse(line) {
            Some(Line::Version | Line::Comment) => {}
            Some(Line::Plan(count)) if self.plan.is_none() => self.plan = Some(count),
            Some(Line::Start(name)) => {
                let test = self.test(name, now);
                self.tests[test].started = now;
            }
            Some(Line::Output(text)) => {
                if let Some(test) = self.running().filter(|test| test.output.len() < Self::OUTPUT_LINES) {
                    test.output.push(text.to_owned());
                }
            }
            Some(Line::Result { index, name, outcome, why }) => {
                let expected = index == self.results + 1 && self.plan.is_some_and(|plan| index <= plan);
                match self.running().filter(|test| expected && test.name == name) {
                    Some(test) => {
                        test.result = Some((outcome, why.to_owned(), now.duration_since(test.started)));
                        self.results += 1;
                    }
                    None => self.bail_out(&format!("the runner said out of turn: {line}")),
                }
            }
            Some(Line::BailOut(why)) => self.bail_out(why),
            Some(Line::Plan(_)) | None => self.bail_out(&format!("the runner said: {line}")),
        }
    }

    /// Takes a line of the console's, seen at `now`.
    pub fn console(&mut self, line: &str, now: Instant) {
        if let Some((_, name)) = line.split_once("fastnet: start ") {
            let test = self.test(name, now);
            self.console_behind = self.console_behind.max(test);
            self.go(Place::Test(test));
        } else if let Some((_, name)) = line.split_once("fastnet: end ") {
            let test = self.test(name, now);
            self.console_behind = self.console_behind.max(test + 1);
            self.go(Place::Between(format!("after {name}"), Excerpt::default()));
        } else {
            let meaning = splat::meaning(line);
            if meaning == Meaning::Panic && self.panic.is_none() {
                self.panic = Some(splat::message(line).to_owned());
            }
            match &mut self.place {
                Place::Test(test) => self.tests[*test].console.add(line, meaning),
                Place::Between(_, excerpt) => excerpt.add(line, meaning),
            }
        }
    }

    /// The verdicts that have become final since the last call.
    pub fn finished(&mut self) -> Vec<Case> {
        for test in self.tests[..self.console_behind].iter_mut().filter(|test| !test.told) {
            let Some((outcome, why, duration)) = test.result.clone() else { break };
            let (verdict, why) = complaint(&test.console).unwrap_or((outcome.into(), why));
            self.finished.push(test.tell(verdict, why, duration));
        }
        mem::take(&mut self.finished)
    }

    /// Takes the guest's end, after the last of its lines: the remaining verdicts, and how many tests never
    /// started (as far as the runner told how many there are).
    pub fn end(mut self, end: &End, now: Instant) -> (Vec<Case>, usize) {
        let complete = self.plan == Some(self.results);
        let (verdict, why) = self.cause(end);
        let place = match &self.place {
            _ if complete => "power-off".to_owned(),
            Place::Test(test) => format!("after {}", self.tests[*test].name),
            Place::Between(name, _) => name.clone(),
        };
        self.go(Place::Between(String::new(), Excerpt::default()));
        self.console_behind = self.tests.len();
        let mut cases = self.finished();
        let in_order = complete && self.bail_out.is_none() && matches!(end, End::Exited(_));
        if let Some(test) = self.tests.iter_mut().find(|test| !test.told) {
            let duration = now.duration_since(test.started);
            cases.push(test.tell(verdict, why, duration));
        } else if !in_order && self.panic.is_none() {
            cases.push(Excerpt::default().into_case(place, verdict, why));
        }
        (cases, self.plan.unwrap_or(0).saturating_sub(self.tests.len()))
    }

    /// Why a guest ended before its time.
    fn cause(&self, end: &End) -> (Verdict, String) {
        match (&self.panic, &self.bail_out, end) {
            (Some(panic), ..) => (Verdict::Panic, panic.clone()),
            (_, Some(why), _) if why.starts_with("unkillable") => {
                (Verdict::Hang, "not even SIGKILL ended it".to_owned())
            }
            (_, Some(why), _) => (Verdict::Infra, why.clone()),
            (.., End::Killed(why)) => (Verdict::Hang, why.clone()),
            (.., End::Exited(how)) => (Verdict::LostGuest, how.clone()),
        }
    }

    /// The first reason counts; the rest may be its consequences.
    fn bail_out(&mut self, why: &str) {
        self.bail_out.get_or_insert_with(|| why.to_owned());
    }

    /// Moves the console's place, and tells of the one left if it was outside any test and not quiet.
    fn go(&mut self, place: Place) {
        if let Place::Between(name, excerpt) = mem::replace(&mut self.place, place)
            && let Some((verdict, why)) = complaint(&excerpt)
        {
            self.finished.push(excerpt.into_case(name, verdict, why));
        }
    }

    /// The test that has started on the runner's way and has no result.
    fn running(&mut self) -> Option<&mut Test> {
        self.tests.get_mut(self.results)
    }

    /// The place of the test `name`, a new one if neither way has named it before.
    fn test(&mut self, name: &str, now: Instant) -> usize {
        self.tests.iter().rposition(|test| test.name == name).unwrap_or_else(|| {
            self.tests.push(Test {
                name: name.to_owned(),
                started: now,
                result: None,
                output: Vec::new(),
                console: Excerpt::default(),
                told: false,
            });
            self.tests.len() - 1
        })
    }
}

impl Test {
    fn tell(&mut self, verdict: Verdict, why: String, duration: Duration) -> Case {
        self.told = true;
        let output = mem::take(&mut self.output);
        let console = mem::take(&mut self.console);
        Case { duration, output, ..console.into_case(self.name.clone(), verdict, why) }
    }
}

fn complaint(console: &Excerpt) -> Option<(Verdict, String)> {
    let (meaning, line) = console.complaint()?;
    let verdict = if meaning == Meaning::Panic { Verdict::Panic } else { Verdict::Splat };
    Some((verdict, splat::message(line).to_owned()))
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
