//! Compilers started by others: nothing else comes out, and nothing is made twice.
#![expect(clippy::disallowed_methods, reason = "the test starts distcc's daemon")]

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::world::{Outcome, World};

const OBJTREE: &str = "root/target/kernel/6.12-fastnet/O-vm";

/// distcc's daemon on 127.0.0.1, behind a port that is ours from the start.
struct Farm {
    address: String,
    compiled: Arc<AtomicUsize>,
}

impl Farm {
    fn start(log: File) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let compiled = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&compiled);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let input = connection.unwrap();
                let reply = OwnedFd::from(input.try_clone().unwrap());
                count.fetch_add(1, Ordering::SeqCst);
                let mut daemon = Command::new("distccd");
                daemon
                    .args(["--inetd", "--allow", "127.0.0.1", "--log-stderr"])
                    .stderr(log.try_clone().unwrap());
                daemon.stdin(OwnedFd::from(input)).stdout(reply).status().unwrap();
            }
        });
        Self { address, compiled }
    }

    /// Builds by distcc on this farm alone: what it does not compile is an error.
    fn build(&self, world: &World) -> Outcome {
        fs::create_dir_all(world.path("distcc")).unwrap();
        let mut command = world.command("build-kernel --launcher distcc");
        command.env("DISTCC_HOSTS", format!("{}/2", self.address));
        command.env("DISTCC_FALLBACK", "0").env("DISTCC_DIR", world.path("distcc"));
        Outcome::of(command.output().unwrap())
    }

    fn compiled(&self) -> usize {
        self.compiled.load(Ordering::SeqCst)
    }
}

#[test]
fn distcc_compiles_elsewhere_and_the_same() {
    let world = World::new();
    let image = world.path(OBJTREE).join("arch/x86/boot/bzImage");
    world.run("build-kernel --launcher none").passed();
    let here = fs::read(&image).unwrap();

    let farm = Farm::start(File::create(world.path("distccd.log")).unwrap());
    farm.build(&world).passed();
    assert_eq!(farm.compiled(), 0, "another launcher compiled again what was there");

    fs::remove_dir_all(world.path(OBJTREE)).unwrap();
    farm.build(&world).passed();
    assert_eq!(farm.compiled(), 2, "{}", world.read("distccd.log"));
    assert_eq!(fs::read(&image).unwrap(), here);

    world.series("# flavor: fastnet\n1.patch\n");
    world.returning("1.patch", "1", "nowhere");
    farm.build(&world).failed(6, &["net/a.c:5:", "error: ", "nowhere"]);
}

#[test]
fn a_launcher_that_cannot_work_is_named() {
    let world = World::new();
    let mut command = world.command("build-kernel --launcher distcc");
    command.env("DISTCC_HOSTS", "").env("DISTCC_DIR", world.path("distcc"));
    Outcome::of(command.output().unwrap()).failed(3, &["distcc knows no hosts", "DISTCC_HOSTS"]);

    world.tool("icecc", "exit 127");
    world.run("build-kernel --launcher icecc").failed(3, &["there is no icecc on PATH"]);
}

#[test]
fn as_many_compilers_run_at_once_as_asked() {
    let world = World::new();
    world.write(
        "linux/Makefile",
        world.read("linux/Makefile") + "\nmodules:\n\t@echo $(MAKEFLAGS) > $(O)/flags\n",
    );
    world.run("build-kernel --jobs 7").passed();
    let flags = world.read(&format!("{OBJTREE}/flags"));
    assert!(flags.contains("-j7"), "{flags}");
    world.run("build-kernel --jobs 0").failed(2, &["--jobs"]);
}
