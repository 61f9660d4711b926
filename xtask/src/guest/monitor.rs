//! QEMU's monitor, for what no guest can do: stop itself, and log every instruction of its own.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

/// A connection to a QEMU's monitor that speaks QMP.
pub struct Monitor {
    stream: BufReader<UnixStream>,
}

impl Monitor {
    /// Greets the QEMU at the other end.
    pub fn new(stream: UnixStream) -> Result<Self> {
        let mut monitor = Self { stream: BufReader::new(stream) };
        let greeting = monitor.line()?;
        ensure!(greeting.get("QMP").is_some(), "QEMU's monitor says {greeting}");
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// Begins to log each instruction to `file`, with the guest stopped meanwhile.
    pub fn start_log(&mut self, file: &Path) -> Result<()> {
        self.execute("stop", &json!({}))?;
        // Under its newer name, and under that of QEMU before 8.1.
        if !self.human("one-insn-per-tb on")?.is_empty() {
            let said = self.human("singlestep on")?;
            ensure!(said.is_empty(), "QEMU can't run single instructions: {said}");
        }
        let said = self.human(&format!("logfile {}", file.display()))?;
        ensure!(said.is_empty(), "QEMU can't log to {}: {said}", file.display());
        self.human("log exec,nochain")?;
        self.execute("cont", &json!({})).map(drop)
    }

    /// Ends the log, and lets the guest run as fast as it can.
    pub fn stop_log(&mut self) -> Result<()> {
        self.human("log none")?;
        if !self.human("one-insn-per-tb off")?.is_empty() {
            self.human("singlestep off")?;
        }
        Ok(())
    }

    /// The host's port that QEMU forwards to the guest, where it was to choose one itself.
    pub fn forwarded_port(&mut self) -> Result<u16> {
        let said = self.human("info usernet")?;
        // TCP[HOST_FORWARD]  11  127.0.0.1 43210  10.0.2.15  22  0  0
        let row = said.lines().find(|line| line.contains("HOST_FORWARD"));
        row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok())
            .with_context(|| format!("QEMU forwards no port: {said}"))
    }

    /// Gives a command as a person would; what QEMU says to it, which is nothing for most that went well.
    fn human(&mut self, line: &str) -> Result<String> {
        let said = self.execute("human-monitor-command", &json!({ "command-line": line }))?;
        Ok(said.as_str().unwrap_or_default().trim().to_owned())
    }

    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        let order = json!({ "execute": command, "arguments": arguments });
        let stream = self.stream.get_mut();
        stream.write_all(format!("{order}\n").as_bytes()).context("writing to QEMU's monitor")?;
        loop {
            let mut answer = self.line()?;
            if let Some(error) = answer.get("error") {
                bail!("QEMU refuses {order}: {error}");
            }
            // All else are events.
            if let Some(said) = answer.get_mut("return") {
                return Ok(said.take());
            }
        }
    }

    fn line(&mut self) -> Result<Value> {
        let mut line = String::new();
        self.stream.read_line(&mut line).context("reading from QEMU's monitor")?;
        ensure!(!line.is_empty(), "QEMU has ended");
        serde_json::from_str(&line).with_context(|| format!("QEMU's monitor says {}", line.trim()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    /// A QEMU that answers as told, and returns what it heard.
    fn talk(
        answers: &'static [&'static str],
        act: impl FnOnce(&mut Monitor) -> Result<()>,
    ) -> (Result<()>, String) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let qemu = thread::spawn(move || {
            let mut heard = String::new();
            let mut reader = BufReader::new(&theirs);
            for (number, answer) in answers.iter().enumerate() {
                if number > 0 {
                    reader.read_line(&mut heard).unwrap();
                }
                (&theirs).write_all(answer.as_bytes()).unwrap();
            }
            heard
        });
        let done = Monitor::new(ours).and_then(|mut monitor| act(&mut monitor));
        (done, qemu.join().unwrap())
    }

    const GREETING: &str = "{\"QMP\": {}}\n";
    const DONE: &str = "{\"return\": {}}\n";

    #[test]
    fn an_old_qemu_is_told_by_the_old_name() {
        let unknown = "{\"event\": \"STOP\"}\n{\"return\": \"unknown command: 'one-insn-per-tb'\\r\\n\"}\n";
        let empty = "{\"return\": \"\"}\n";
        let answers = [GREETING, DONE, DONE, unknown, empty, empty, empty, DONE];
        let answers = Box::leak(Box::new(answers));
        let (done, heard) = talk(answers, |monitor| monitor.start_log(Path::new("/tmp/log")));
        done.unwrap();
        for said in ["singlestep on", "logfile /tmp/log", "log exec,nochain", "\"cont\""] {
            assert!(heard.contains(said), "no {said} in {heard}");
        }
    }

    #[test]
    fn the_port_that_qemu_chose_is_told() {
        let table = "{\"return\": \"Hub -1 (net):\\r\\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port \
                     RecvQ SendQ\\r\\n  TCP[HOST_FORWARD]  11       127.0.0.1 38813       10.0.2.15    22     0     0\\r\\n\"}\n";
        let (done, _) = talk(Box::leak(Box::new([GREETING, DONE, table])), |monitor| {
            assert_eq!(monitor.forwarded_port()?, 38813);
            Ok(())
        });
        done.unwrap();
        let none =
            talk(&[GREETING, DONE, "{\"return\": \"\"}\n"], |monitor| monitor.forwarded_port().map(drop)).0;
        assert!(none.unwrap_err().to_string().contains("forwards no port"));
    }

    #[test]
    fn a_refusal_and_an_end_are_errors() {
        let refused = "{\"error\": {\"class\": \"GenericError\"}}\n";
        let (done, _) = talk(Box::leak(Box::new([GREETING, DONE, refused])), Monitor::stop_log);
        assert!(done.unwrap_err().to_string().contains("GenericError"));
        let (done, _) = talk(&[GREETING], |_| Ok(()));
        assert!(done.is_err());
    }
}
