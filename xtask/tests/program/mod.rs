//! The program as a user runs it, and the file it leaves.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Its exit code, and all that it said.
pub fn run(mut command: Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    println!("{said}");
    (status.code(), said)
}

/// A file of results.
pub fn lines(file: &Path) -> Vec<Value> {
    fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
