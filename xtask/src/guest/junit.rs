//! A run's verdicts as JUnit XML, which every CI can show.

use std::fs::{self, File};
use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::verdict::{Case, Verdict};
use crate::exit::{Classify, Exit};

/// Writes `cases` to `file`, making its folder if need be: a failure is what a test did wrong, an error what the guest did.
pub fn write(cases: &[Case], file: &Path) -> anyhow::Result<()> {
    let mut suite = TestSuite::new("guest");
    suite.add_test_cases(cases.iter().map(test_case));
    let mut report = Report::new("fastnet");
    report.add_test_suite(suite);
    let name = || format!("writing {}", file.display());
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).exit(Exit::Host, name)?;
    }
    let file = File::create(file).exit(Exit::Host, name)?;
    report.serialize(file).exit(Exit::Host, name)
}

fn test_case(case: &Case) -> TestCase {
    let non_success = |kind| {
        let mut status = TestCaseStatus::non_success(kind);
        status.set_type(case.verdict.to_string()).set_message(&case.why);
        status
    };
    let status = match case.verdict {
        Verdict::Pass => TestCaseStatus::success(),
        Verdict::Skip => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(&case.why);
            status
        }
        Verdict::Fail | Verdict::Timeout | Verdict::Splat => non_success(NonSuccessKind::Failure),
        Verdict::Panic | Verdict::Hang | Verdict::LostGuest | Verdict::Infra => {
            non_success(NonSuccessKind::Error)
        }
    };
    let (class, name) = case.name.rsplit_once("::").unwrap_or(("guest", &case.name));
    let mut test = TestCase::new(name, status);
    test.set_classname(class).set_time(case.duration);
    test.set_system_out(case.output.join("\n")).set_system_err(case.console.join("\n"));
    test
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_may_name_a_folder_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("target/ci/report.xml");
        write(&[], &file).unwrap();
        assert!(fs::read_to_string(file).unwrap().contains("<testsuites"));
    }
}
