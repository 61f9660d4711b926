//! Audit: the kernel's record of system calls, made for whoever must prove later what was done.

use std::io;

use crate::sys::netlink::Netlink;

/// Messages of `linux/audit.h`: settings, rules, and records: an address in a call, the end of all there is of it.
const SET: u16 = 1001;
const ADD_RULE: u16 = 1011;
const DEL_RULE: u16 = 1012;
const SOCKADDR: u16 = 1306;
const EOE: u16 = 1320;

/// `AUDIT_STATUS_ENABLED`: the setting that is set.
const ENABLED: u32 = 1;
/// `AUDIT_FILTER_EXIT` and `AUDIT_ALWAYS`: a call is recorded when it ends.
const FILTER_EXIT: u32 = 4;
const ALWAYS: u32 = 2;
/// Words in which a rule has a bit for each system call, and words that follow, of fields to match: none here.
const CALLS: usize = 64;
const FIELDS: usize = 3 * 64 + 1;
/// `AUDIT_NLGRP_READLOG`: who listens to all records.
const LISTENERS: u32 = 1;

/// Records a system call of all processes that are forked while this lives.
#[derive(Debug)]
pub struct Audit {
    requests: Netlink,
    records: Netlink,
    rule: Vec<u8>,
}

impl Audit {
    /// Records the call of that number, if this thread is in the first network namespace: records come nowhere else.
    ///
    /// # Errors
    /// Those of the system calls; `Unsupported` where the kernel can't.
    pub fn of(call: i64) -> io::Result<Self> {
        let call = usize::try_from(call).expect("a system call");
        let mut words = vec![0; 3 + CALLS + FIELDS];
        words[..2].copy_from_slice(&[FILTER_EXIT, ALWAYS]);
        words[3 + call / 32] = 1 << (call % 32);
        let mut audit = Self {
            requests: Netlink::new(libc::NETLINK_AUDIT, 0)?,
            records: Netlink::new(libc::NETLINK_AUDIT, LISTENERS)?,
            rule: bytes(&words),
        };
        audit.requests.ask(ADD_RULE, 0, &audit.rule)?;
        audit.enable(true)?;
        Ok(audit)
    }

    /// The addresses, in hexadecimal, that the record of the next call has.
    ///
    /// # Errors
    /// Those of the system calls: `WouldBlock` if there is no record for too long.
    pub fn addresses(&mut self) -> io::Result<Vec<String>> {
        let mut addresses = Vec::new();
        loop {
            let (kind, record) = self.records.hear()?;
            let record = String::from_utf8_lossy(&record);
            match (kind, record.split_once("saddr=")) {
                (SOCKADDR, Some((_, address))) => {
                    addresses.push(address.trim_end_matches(['\0', '\n']).to_owned());
                }
                (EOE, _) => return Ok(addresses),
                _ => {}
            }
        }
    }

    fn enable(&mut self, enabled: bool) -> io::Result<()> {
        self.requests.ask(SET, 0, &bytes(&[ENABLED, enabled.into()]))
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        self.enable(false).expect("switching the audit off");
        self.requests.ask(DEL_RULE, 0, &self.rule).expect("forgetting the rule");
    }
}

fn bytes(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// Skips this test on a kernel that records nothing, else records a system call.
#[macro_export]
macro_rules! needs_audit {
    ($call:expr) => {
        match $crate::sys::audit::Audit::of($call) {
            Err(error) if error.kind() == std::io::ErrorKind::Unsupported => {
                $crate::skip!("this kernel has no audit")
            }
            audit => audit.expect("an audit"),
        }
    };
}
