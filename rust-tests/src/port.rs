//! The virtio-serial ports by which the guest talks to the host, apart from the console.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result};

/// Opens the port that the host gave this name. The kernel lets only one process have it open at a time.
pub fn open(name: &str) -> Result<File> {
    let class = Path::new("/sys/class/virtio-ports");
    let device = fs::read_dir(class)
        .with_context(|| format!("reading {}", class.display()))?
        .filter_map(Result::ok)
        .find(|port| fs::read_to_string(port.path().join("name")).is_ok_and(|its| its.trim() == name))
        .with_context(|| format!("no virtio-serial port is named {name}"))?
        .file_name();
    let path = Path::new("/dev").join(device);
    File::options().read(true).write(true).open(&path).with_context(|| format!("opening {}", path.display()))
}
