//! The demo as a visitor runs it.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::process::binary;
use tokio::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn demo(seed: u32, population: u32, suite: &str) -> Command {
    let mut command = Command::new(binary("demo").expect("built"));
    command.current_dir(root()).arg("--once").kill_on_drop(true);
    command.args(["--seed", &seed.to_string(), "--population", &population.to_string()]);
    command.args(["--suite", suite]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The one line on standard output.
fn line(stdout: &[u8]) -> Value {
    let text = std::str::from_utf8(stdout).expect("UTF-8");
    assert_eq!(text.lines().count(), 1, "{text}");
    serde_json::from_str(text).expect("JSON")
}

async fn succeeds(seed: u32, population: u32, suite: &str) {
    let output = demo(seed, population, suite).output().await.expect("run");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", said(&output.stdout), said(&output.stderr));
    let line = line(&output.stdout);
    let number = |key: &str| line[key].as_u64().unwrap_or_else(|| panic!("{key} in {line}"));
    assert_eq!((number("missing"), number("unexpected")), (0, 0), "{line}");
    assert_eq!(number("alerts"), number("expected"), "{line}");
    assert!(number("alerts") > 0 && number("base") > 0, "{line}");
    assert!(number("rows") > u64::from(population), "{line}");
    assert!(line["seconds"].as_f64() > Some(0.0), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_shows_exactly_the_expected_alerts_for_three_seeds_and_two_populations() {
    tokio::join!(succeeds(1, 3_000, "oprf"), succeeds(2, 3_000, "salted-hash"));
    succeeds(3, 20_000, "salted-hash").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_fails_where_alerts_are_missing() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().join("federation");
    let mut command = demo(4, 3_000, "salted-hash");
    let child = command.arg("--keep").arg(&home).spawn().expect("run");
    // Everything runs; then the hospital insurance loses its files.
    let started = Instant::now();
    while !home.join("gateway/gateway.log").exists() {
        assert!(started.elapsed() < Duration::from_secs(60), "the gateway must start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let agency = home.join("healthcare_security");
    for file in std::fs::read_dir(agency.join("data")).expect("its files") {
        let file = file.expect("one").path();
        let bytes = std::fs::read(&file).expect("read");
        let head = bytes.iter().position(|&byte| byte == b'\n').expect("a header") + 1;
        std::fs::write(&file, &bytes[..head]).expect("written");
    }
    hang_up(&agency.join("adapter.toml")).await;
    let output = child.wait_with_output().await.expect("it ends");
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(line(&output.stdout)["missing"].as_u64() > Some(0));
}

/// Has the adapter with this configuration read its files again.
async fn hang_up(config: &Path) {
    let config = config.canonicalize().expect("it is there").display().to_string();
    let processes = std::fs::read_dir("/proc").expect("processes").flatten();
    let runs_it = |process: &std::fs::DirEntry| {
        let line = std::fs::read_to_string(process.path().join("cmdline")).unwrap_or_default();
        line.split('\0').any(|argument| argument == config)
    };
    let adapter = processes.into_iter().find(runs_it).expect("the adapter runs").file_name();
    let done = Command::new("kill").arg("-HUP").arg(adapter).status().await.expect("run");
    assert!(done.success());
}
