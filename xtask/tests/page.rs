//! `bench report` looked at in a browser: by day and by night, on a narrow screen and on a wide one.
#![expect(clippy::disallowed_methods, reason = "a test of the program runs the program")]
#![expect(clippy::unwrap_used, reason = "what a test can't unwrap fails it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// What the page says of itself once it is drawn.
const LOOK: &str = r#"<script>
addEventListener("load", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
    const light = colour => {
        const [red, green, blue] = colour.match(/[\d.]+/g).map(part => part / 255)
            .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const page = light(getComputedStyle(document.body).backgroundColor);
    const contrast = colour => { const own = light(colour); return Math.max(own, page) / Math.min(own, page); };
    const texts = [...document.querySelectorAll("p, li, td, th, h1, h2, h3, figcaption, summary, pre")];
    const drawn = [...document.querySelectorAll("figure text")];
    const plots = [...document.querySelectorAll("figure > svg")].map(svg => svg.getBoundingClientRect());
    const sheet = document.documentElement;
    document.body.dataset.look = JSON.stringify({
        width: innerWidth,
        overflow: sheet.scrollWidth - sheet.clientWidth,
        dark: matchMedia("(prefers-color-scheme: dark)").matches,
        plots: plots.length,
        smallest: Math.min(...plots.flatMap(box => [box.width, box.height])),
        widest: Math.max(...plots.map(box => box.right)),
        contrast: Math.min(...texts.map(text => contrast(getComputedStyle(text).color)),
            ...drawn.map(text => contrast(getComputedStyle(text).fill))),
        letters: Math.min(...drawn.map(text => text.getBoundingClientRect().height)),
    });
});
</script>"#;

/// What the frame says goes to the page around it.
const FRAME: &str = r#"<script>
addEventListener("load", () => { document.body.dataset.look = frames[0].document.body.dataset.look; });
</script>"#;

/// One line of each experiment, but those of `bench local`.
fn others() -> String {
    let origin = json!({
        "schema": 2, "release": "6.12-stock", "flavor": "stock", "config": "vm", "build": "0123", "accel": "icount",
        "cpu": "qemu64", "qemu": "QEMU", "boot": 1, "host": {"cores": 2, "cpu": "A CPU", "kernel": "6.1"}
    });
    let with = |more: Value| {
        let mut line = origin.clone();
        line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        line.to_string() + "\n"
    };
    let hint = json!({"path": "net/ipv4/udp.c", "line": 7, "function": "udp_recvmsg", "text": "if (unlikely(!skb))"});
    let mut seen = hint.clone();
    seen.as_object_mut().unwrap().extend([("right".into(), 9.into()), ("wrong".into(), 1.into())]);
    let profile = json!({
        "experiment": "profile", "receiver": "recvmmsg", "family": "ipv4", "size": 64, "messages": 1000, "name": false,
        "datagrams": 10, "instructions": 100, "branches": 9, "taken": 4,
        "stacks": {"entry_SYSCALL_64": 20, "entry_SYSCALL_64;__x64_sys_recvmmsg;a_function_with_a_name_that_is_longer_than_most": 80}
    });
    let latency =
        json!({"p50": 1500, "p99": 1500, "p99_9": 25_000, "max": null, "bars": [[1500, 990], [25_000, 9]]});
    let feed = json!({
        "experiment": "real-world", "sender": "stock", "receiver": "recvmmsg", "stamps": true, "buffer": 8_388_608,
        "feed": {"name": "a feed", "datagrams": 1000, "duration": 100_000_000}, "outcome": "measured", "received": 999,
        "lost": 1, "gaps": 1, "disordered": 0, "calls": 100, "ns": 812.5, "rate": 9999.5, "late": 5000,
        "latency": {"arrival": latency, "schedule": latency}
    });
    with(profile) + &with(json!({"experiment": "hints", "reached": [seen], "never": [hint]})) + &with(feed)
}

/// The report that is in the repository.
fn committed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/report")
}

/// What a page would fetch: itself, and the pages in it, whose text is escaped.
fn outside(page: &str) -> Vec<String> {
    let whole = page.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
    let references = ["src=\"", "src='", "href=\"http", "href='http", "@import", "url(http", "url(\"http"];
    let found = references.into_iter().flat_map(|reference| whole.match_indices(reference));
    let found = found.map(|(at, _)| whole[at..].chars().take(60).collect::<String>());
    found.filter(|text| !text[5..].starts_with("data:")).collect()
}

#[test]
fn a_reference_in_a_page_within_the_page_is_found() {
    assert_eq!(outside("<p>&lt;img src=x&gt;</p> <img src=\"data:,\">"), [""; 0]);
    for inner in
        ["<img src=\"a.png\">", "<a xlink:href='https://a.com'>", "<style>@import url(a.css)</style>"]
    {
        let escaped = inner.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
        assert_eq!(outside(&format!("<iframe srcdoc=\"{escaped}\"></iframe>")).len(), 1, "{inner}");
    }
}

fn report(folder: &Path) -> PathBuf {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/figures/6.12.jsonl");
    let more = folder.join("more.jsonl");
    fs::write(&more, others()).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let status =
        command.args(["bench", "report"]).args([&kept, &more]).arg("--out").arg(folder).status().unwrap();
    assert!(status.success());
    folder.join("index.html")
}

#[test]
fn a_report_is_one_file_that_names_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let page = fs::read_to_string(report(folder.path())).unwrap();
    for page in [&page, &fs::read_to_string(committed().join("index.html")).unwrap()] {
        assert!(page.contains("data-drawing=\"") && outside(page).is_empty(), "{:?}", outside(page));
    }
    for part in
        ["The paper's table", "Where each instruction goes", "The branch hints", "A feed between two guests"]
    {
        assert!(page.contains(part), "{part}");
    }
    let summary = fs::read_to_string(folder.path().join("summary.md")).unwrap();
    for part in [
        "## Where the figures come from\n\n| kernel |",
        "    cargo xtask bench hints --kernel 6.12 --json hints-6.12.jsonl\n",
        "| 64 | 1000 |",
        "## A feed between two guests\n\na feed: 1000 datagrams, sent by stock. Linux 6.12, config vm, icount",
        "| recvmmsg | stock |",
        "The CPU is emulated",
        "## The branch hints",
    ] {
        assert!(summary.contains(part), "{part} is not in {summary}");
    }
    let cells = fs::read_to_string(folder.path().join("cells.csv")).unwrap();
    assert!(cells.lines().count() > 20);
    for name in ["feed.csv", "functions.csv", "hints.csv"] {
        let rows = fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(rows.lines().count() > 1, "{name}: {rows}");
    }
}

/// Whoever types the command that the committed report names has the committed report, to the byte.
#[test]
fn the_committed_report_is_made_by_the_command_printed_in_it() {
    let (committed, folder) = (committed(), tempfile::tempdir().unwrap());
    let made = folder.path().join("docs/report");
    fs::create_dir_all(&made).unwrap();
    fs::copy(committed.join("results.jsonl"), made.join("results.jsonl")).unwrap();
    let summary = fs::read_to_string(committed.join("summary.md")).unwrap();
    let commands = summary.lines().filter_map(|line| line.strip_prefix("    cargo xtask "));
    let command = commands.into_iter().find(|line| line.ends_with("--out docs/report")).unwrap();
    let mut xtask = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let status = xtask.args(command.split(' ')).current_dir(&folder).status().unwrap();
    assert!(status.success());
    let names = |folder: &Path| -> Vec<_> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&made), names(&committed));
    for name in names(&made) {
        let same = fs::read(made.join(&name)).unwrap() == fs::read(committed.join(&name)).unwrap();
        assert!(same, "{}: {command} makes another", name.display());
    }
}

#[test]
fn what_is_no_result_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let thesis = folder.path().join("thesis.txt");
    fs::write(&thesis, "My thesis\n").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output =
        command.args(["bench", "report"]).arg(&thesis).arg("--out").arg(folder.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("thesis.txt"));
    assert!(!folder.path().join("index.html").exists());
}

/// Three percent more in the fast path ends `bench compare` with 1, and says where; the same with 0.
#[test]
fn a_fast_path_that_takes_three_percent_more_is_caught() {
    let folder = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/figures/6.12.jsonl");
    let mut lines = String::new();
    for line in fs::read_to_string(&kept).unwrap().lines() {
        let mut line: Value = serde_json::from_str(line).unwrap();
        if line["receiver"] == "remembered" {
            for figure in ["min", "median", "max"] {
                line[figure] = (line[figure].as_f64().unwrap() * 1.03).into();
            }
        }
        lines += &(line.to_string() + "\n");
    }
    let after = folder.path().join("after.jsonl");
    fs::write(&after, lines).unwrap();
    let compare = |after: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let command = command.args(["bench", "compare", "--ratios", "--tolerance", "1"]).args([&kept, after]);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (code, said) = compare(&after);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("remembered/ipv4/64/1000 ") && said.contains("+3.00 %"), "{said}");
    assert_eq!(compare(&kept).0, Some(0));
}

#[test]
#[ignore = "needs chromium; cargo xtask ci runs it"]
fn the_page_can_be_read_on_any_screen() {
    let folder = tempfile::tempdir().unwrap();
    let sample = fs::read_to_string(report(folder.path())).unwrap();
    assert_eq!(sample.matches("<figure").count(), 4, "by messages a call, by size, ratios, and latency");
    for page in [sample, fs::read_to_string(committed().join("index.html")).unwrap()] {
        can_be_read(&page, folder.path());
    }
}

fn can_be_read(text: &str, folder: &Path) {
    let (page, plots) = (folder.join("framed.html"), text.matches("<figure").count());
    let text = text.replace("</head>", &format!("{LOOK}</head>"));
    let text = text.replace('&', "&amp;").replace('"', "&quot;");
    for (width, dark) in [(360, false), (360, true), (1280, false), (1280, true)] {
        // No window is narrower than 500, so the screen is a frame in one.
        let frame = format!(
            "<body style='margin: 0'><iframe style='border: 0; width: {width}px' srcdoc=\"{text}\"></iframe>{FRAME}"
        );
        fs::write(&page, frame).unwrap();
        let look = look(&page, folder, dark);
        println!("{look}");
        let number = |name: &str| look[name].as_f64().unwrap();
        assert_eq!((number("width"), look["dark"].as_bool()), (f64::from(width), Some(dark)));
        assert!(
            number("overflow") <= 0.0 && number("widest") <= f64::from(width),
            "it is wider than the screen"
        );
        assert_eq!(look["plots"], plots);
        assert!(number("smallest") > 150.0 && number("letters") > 8.0, "a plot is too small");
        assert!(number("contrast") >= 4.5, "a text is too pale");
    }
}

/// What the page says of itself; a word on the browser's console fails.
fn look(page: &Path, folder: &Path, dark: bool) -> Value {
    let mut command = Command::new("chromium");
    // Its sandbox is not to be had as root, and the page is our own.
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"]);
    // In a container /dev/shm is small.
    command.args(["--disable-dev-shm-usage", "--enable-logging=stderr", "--virtual-time-budget=10000"]);
    command.arg("--window-size=1400,2000");
    command.arg(format!("--user-data-dir={}", folder.join("chromium").display()));
    if dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("CONSOLE"), "{said}");
    let dom = String::from_utf8(output.stdout).unwrap();
    let (_, rest) = dom.split_once("data-look=\"").expect("the page was not drawn");
    let look = rest.split('"').next().unwrap().replace("&quot;", "\"");
    serde_json::from_str(&look).unwrap()
}
