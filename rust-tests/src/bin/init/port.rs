//! The virtio-serial port on which the runner reports: apart from the console, so that no kernel message can
//! break a result line.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};

const NAME: &str = "fastnet.ktap";

/// The open port. The kernel lets only one process have it open at a time.
pub struct Port(File);

impl Port {
    /// Finds the port by the name the host gave it.
    pub fn open() -> Result<Self> {
        let class = Path::new("/sys/class/virtio-ports");
        let device = fs::read_dir(class)
            .with_context(|| format!("reading {}", class.display()))?
            .filter_map(Result::ok)
            .find(|port| fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim() == NAME))
            .with_context(|| format!("no virtio-serial port is named {NAME}"))?
            .file_name();
        let path = Path::new("/dev").join(device);
        let file =
            File::options().write(true).open(&path).with_context(|| format!("opening {}", path.display()))?;
        Ok(Self(file))
    }

    /// Sends one line. A line that can't be sent is missed by the host, which never takes silence for a pass.
    pub fn line(&mut self, text: &str) {
        let _ = self.0.write_all(format!("{text}\n").as_bytes());
    }
}
