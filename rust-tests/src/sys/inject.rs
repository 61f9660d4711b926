//! Making the kernel's copies and allocations fail, where it was built to be made to.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What of the next system call of this thread is to fail.
#[derive(Debug)]
pub struct Injector(File);

impl Injector {
    /// Where the kernel can; copies to and from user space and slab allocations are what may fail.
    pub fn new() -> Option<Self> {
        let file = File::options().read(true).write(true).open("/proc/thread-self/fail-nth").ok()?;
        for (attribute, name, value) in [
            ("failslab", "ignore-gfp-wait", "N"),
            ("failslab", "verbose", "0"),
            ("fail_usercopy", "verbose", "0"),
            ("fail_page_alloc", "verbose", "0"),
        ] {
            let path = Path::new("/sys/kernel/debug").join(attribute).join(name);
            fs::write(&path, value).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
        Some(Self(file))
    }

    /// Lets the `n`-th copy or allocation of `call` fail; false if it did not get that far.
    pub fn nth<T>(&mut self, n: u32, call: impl FnOnce() -> T) -> (T, bool) {
        self.0.write_all(n.to_string().as_bytes()).expect("fail-nth");
        let result = call();
        let mut left = [0; 2];
        // What is left makes these fail, in time.
        let read = self.0.read_at(&mut left, 0);
        while self.0.write_all(b"0").is_err() {}
        (result, read.is_ok() && left == *b"0\n")
    }
}

/// Skips this test on a kernel whose copies and allocations never fail, and gives the one who makes them.
#[macro_export]
macro_rules! needs_injection {
    () => {
        match $crate::sys::inject::Injector::new() {
            Some(injector) => injector,
            None => $crate::skip!("this kernel was not built for failing on purpose (--config debug is)"),
        }
    };
}
