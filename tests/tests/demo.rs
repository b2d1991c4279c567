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
    until("the gateway starts", || home.join("gateway/gateway.log").exists()).await;
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
    let (adapter, _) =
        processes().find(|(_, line)| line.contains(&config)).expect("the adapter runs");
    kill("HUP", adapter).await;
}

/// Every process, with its arguments.
fn processes() -> impl Iterator<Item = (u32, Vec<String>)> {
    std::fs::read_dir("/proc").expect("processes").flatten().filter_map(|process| {
        let id = process.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(process.path().join("cmdline")).ok()?;
        Some((id, line.split('\0').map(str::to_owned).collect()))
    })
}

async fn kill(signal: &str, process: u32) {
    let mut kill = Command::new("kill");
    let done = kill.arg(format!("-{signal}")).arg(process.to_string()).status().await;
    assert!(done.expect("run").success());
}

async fn until(what: &str, good: impl Fn() -> bool) {
    let started = Instant::now();
    while !good() {
        assert!(started.elapsed() < Duration::from_secs(60), "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Whom a signal is sent to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Script,
    Program,
}

/// Starts `deploy/demo` with programs that are built already, sends a signal, and looks for what is left.
async fn ends_with_all_its_programs(signal: &str, to: To) {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().canonicalize().expect("there").join("federation");
    let cargo = dir.path().join("cargo");
    std::fs::write(&cargo, "#!/bin/sh\n").expect("written");
    std::fs::set_permissions(&cargo, PermissionsExt::from_mode(0o755)).expect("set");
    let program = binary("demo").expect("built");
    let path = std::env::var("PATH").expect("there is one");
    // Whoever starts tests in the background may have had Ctrl-C ignored.
    let mut command = Command::new("env");
    command.arg("--default-signal=INT").arg(root().join("deploy/demo"));
    command.env("PATH", format!("{}:{path}", dir.path().display()));
    let target = program.ancestors().nth(2).expect("it is in a directory of the target directory");
    command.env("CARGO_TARGET_DIR", target.canonicalize().expect("there"));
    command.args(["--population", "300", "--suite", "salted-hash", "--keep"]).arg(&home);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let mut script = command.spawn().expect("run");
    let of_it = || {
        let home = home.display().to_string();
        processes().filter(move |(_, line)| line.iter().any(|word| word.starts_with(&home)))
    };
    let gateway = || of_it().any(|(_, line)| line[0].ends_with("/gateway"));
    until("the gateway starts", gateway).await;
    let demo = of_it().find(|(_, line)| line[0].ends_with("/demo")).expect("the demo runs").0;
    kill(signal, if to == To::Script { script.id().expect("it runs") } else { demo }).await;
    let ended = tokio::time::timeout(Duration::from_secs(60), script.wait()).await;
    let ended = ended.unwrap_or_else(|_| panic!("{signal} ends it")).expect("it ended");
    assert_eq!(ended.success(), signal != "KILL", "{signal}: {ended}");
    until(&format!("{signal} leaves nothing behind"), || of_it().next().is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_on_running_when_the_demo_is_told_to_stop() {
    tokio::join!(
        ends_with_all_its_programs("TERM", To::Script),
        ends_with_all_its_programs("INT", To::Script),
    );
    tokio::join!(
        ends_with_all_its_programs("TERM", To::Program),
        ends_with_all_its_programs("KILL", To::Program),
    );
}
