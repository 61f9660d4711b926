//! Worlds with a kernel in `linux/` that make builds in no time.
#![expect(clippy::disallowed_methods, reason = "the tests run xtask as a user does")]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use walkdir::WalkDir;

use crate::script;
use crate::world::{Outcome, World};

/// What kbuild does, as far as xtask sees it. An option that Kconfig does not name does not take, and each run of
/// the compiler leaves a line in `compiled`.
const MAKEFILE: &str = r#"VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 1
EXTRAVERSION =

tinyconfig:
	@echo CONFIG_TINY=y > $(O)/.config
olddefconfig:
	@awk -F= 'FNR == NR { if ($$1 ~ /^config /) known["CONFIG_" substr($$1, 8)] = 1; next } \
		/ is not set$$/ { split($$0, word, " "); delete last[word[2]] } \
		$$1 in known { last[$$1] = $$0 } END { for (option in last) print last[option] }' \
		Kconfig $(O)/.config | sort > $(O)/.new && mv $(O)/.new $(O)/.config
	@cmp -s $(O)/.config $(O)/auto.conf || cp $(O)/.config $(O)/auto.conf
bzImage: $(O)/arch/x86/boot/bzImage
modules:
$(O)/arch/x86/boot/bzImage: $(O)/a.o $(O)/b.o
	@mkdir -p $(O)/arch/x86/boot $(O)/include/config
	@echo 6.12.1-test > $(O)/include/config/kernel.release
	@cat $^ > $(O)/vmlinux && cp $(O)/vmlinux $@
$(O)/%.o: net/%.c $(O)/auto.conf
	@echo "  CC      net/$*.o"
	@echo $* >> $(O)/compiled
	@$(CC) $$(sed -n 's/^CONFIG_\([A-Z0-9_]*\)=m$$/-D\1_MODULE/p; s/^CONFIG_\([A-Z0-9_]*\)=.*/-D\1/p' $(O)/auto.conf) -c -o $@ $<
net/%.o: net/%.c
	@$(if $(W),$(CC) -Wall -c -o $(O)/checked.o $<)
	@$(if $(C),sparse $<)
bindeb-pkg:
	@packager > linux-libc-dev_1.deb
binrpm-pkg:
	@revision=$$(expr $$(cat $(O)/.version 2>/dev/null || echo 0) + 1); echo $$revision > $(O)/.version; \
		test $$revision = 1 || echo $$revision >> $(O)/arch/x86/boot/bzImage
	@mkdir -p $(O)/rpmbuild/RPMS/x86_64 && packager > $(O)/rpmbuild/RPMS/x86_64/kernel-headers-1.rpm
headers:
	@mkdir -p $(O)/usr/include
"#;

const A: &str = "int one(void);\n\nint one(void)\n{\n\treturn 1;\n}\n";

impl World {
    /// A world without a patch.
    pub fn new() -> Self {
        let world = Self::with_catalog(
            "preferred = [\"6.12\"]\n[kernels.\"6.12\"]\npatches = \"linux-patches/6.12\"\nsource.path = \"../linux\"\n",
        );
        world.write("linux/Makefile", MAKEFILE);
        world.write("linux/Kconfig", "config TINY\nconfig LOCALVERSION\nconfig NET\nmenuconfig DEEP\n");
        world.write("linux/net/a.c", A);
        world.write("linux/net/b.c", "int two;\n");
        world.write("root/configs/vm.config", "# A comment.\nCONFIG_NET=y\n");
        world.series("");
        world
    }

    /// Reads a file of the world.
    #[track_caller]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// Writes the series file.
    pub fn series(&self, text: &str) {
        self.write("root/linux-patches/6.12/series", text);
    }

    /// Writes a patch that makes `return 1` in net/a.c something else.
    pub fn returning(&self, name: &str, before: &str, after: &str) {
        self.mail(name, &format!(
            "diff --git a/net/a.c b/net/a.c\n--- a/net/a.c\n+++ b/net/a.c\n@@ -2,5 +2,5 @@ int one(void);\n \n \
             int one(void)\n {{\n-\treturn {before};\n+\treturn {after};\n }}\n"
        ));
    }

    /// Writes a patch that adds lines below `int two;` in net/b.c.
    pub fn adding(&self, name: &str, lines: &str) {
        let count = lines.lines().count();
        let added: String = lines.lines().flat_map(|line| ["+", line, "\n"]).collect();
        self.mail(name, &format!(
            "diff --git a/net/b.c b/net/b.c\n--- a/net/b.c\n+++ b/net/b.c\n@@ -1 +1,{} @@\n int two;\n{added}",
            count + 1
        ));
    }

    /// Writes a patch file whose diff is `diff`.
    pub fn mail(&self, name: &str, diff: &str) {
        self.write(&format!("root/linux-patches/6.12/{name}"), format!(
            "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\nFrom: Ann <ann@example.org>\n\
             Date: Thu, 7 Apr 2005 15:13:13 -0700\nSubject: [PATCH 1/9] net: {name}\n\nWhy.\n\n\
             Signed-off-by: Ann <ann@example.org>\n---\n net/a.c | 2 +-\n\n{diff}-- \n2.30\n\n"
        ));
    }

    /// Puts a script before the host's tools.
    pub fn tool(&self, name: &str, script: &str) {
        script::put(self.path(&format!("bin/{name}")), format!("#!/bin/sh\n{script}"));
    }

    /// `cargo xtask` with these arguments, not yet started.
    pub fn command(&self, args: &str) -> Command {
        let mut command = self.xtask();
        command.args(args.split_whitespace()).current_dir(self.path(""));
        command
    }

    /// `cargo xtask` with these arguments, run.
    pub fn run(&self, args: &str) -> Outcome {
        Outcome::of(self.command(args).output().unwrap())
    }

    /// git in a folder of the world, as it is where nobody has configured it; its stdout.
    #[track_caller]
    pub fn git(&self, folder: &str, args: &[&str]) -> String {
        let author = ["-c", "user.name=Bob", "-c", "user.email=bob@example.org"];
        let mut git = Command::new("git");
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = git.current_dir(self.path(folder)).args(author).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Every file below a folder, with its content.
    pub fn files(&self, folder: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = WalkDir::new(self.path(folder))
            .into_iter()
            .map(Result::unwrap)
            .filter(|e| e.file_type().is_file());
        files.map(|entry| (entry.path().to_path_buf(), fs::read(entry.path()).unwrap())).collect()
    }
}
/// What `wait` returns; a failure if that takes a minute.
#[track_caller]
pub fn within_a_minute<T: Send + 'static>(wait: impl FnOnce() -> T + Send + 'static) -> T {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(wait()));
    receiver.recv_timeout(Duration::from_mins(1)).unwrap()
}
