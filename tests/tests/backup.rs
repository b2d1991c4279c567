//! What the gateway keeps, copied while it serves, put back, and looked at: with real processes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::{Duration, Instant},
};

use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    process::{Manner, Process, binary},
    staff_client::StaffClient,
};

use crate::machines::Machines;

const PATIENCE: Duration = Duration::from_secs(60);

/// A running town and where its gateway keeps things.
struct Bureau {
    machines: Machines,
    config: PathBuf,
    data: PathBuf,
}

impl Bureau {
    async fn start() -> Self {
        let mut machines = Machines::start(Manner::default(), |_| {}).await;
        machines.come_to(false, &[]).await;
        let home = machines.town.world.deployment.dir.join("gateway");
        Self { machines, config: home.join("gateway.toml"), data: home.join("data") }
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(binary("gateway").expect("built"));
        command.arg("--config").arg(&self.config).args(arguments).env("RUST_LOG", "warn");
        command.output().expect("runs")
    }

    fn backup(&self, name: &str) -> PathBuf {
        let to = self.data.with_file_name(name);
        let done = self.run(&["backup", to.to_str().expect("UTF-8")]);
        assert!(done.status.success(), "{}", words(&done));
        to
    }

    /// Puts a backup into a data directory that has the log's key and nothing else, as on another
    /// machine.
    fn restore(&self, from: &Path) -> PathBuf {
        let old = self.data.with_file_name("data.old");
        fs::rename(&self.data, &old).expect("moved");
        fs::create_dir(&self.data).expect("made");
        fs::copy(old.join("log.key"), self.data.join("log.key")).expect("copied");
        let done = self.run(&["restore", from.to_str().expect("UTF-8")]);
        assert!(done.status.success(), "{}", words(&done));
        old
    }

    fn check(&self) -> (Option<i32>, String) {
        let done = self.run(&["store", "check"]);
        (done.status.code(), words(&done))
    }

    async fn kill(&mut self) {
        let process = self.machines.gateway.id().expect("it runs").to_string();
        let killed = Command::new("kill").args(["-9", &process]).status().expect("runs");
        assert!(killed.success());
        self.gone().await;
    }

    /// Waits until nobody holds the log.
    async fn gone(&self) {
        let started = Instant::now();
        let lock = fs::File::open(self.data.join("log.lock")).expect("there");
        while lock.try_lock().is_err() {
            assert!(started.elapsed() < PATIENCE, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn start_again(&mut self) {
        let started = Process::start("gateway", &self.config).await;
        self.machines.gateway = started.expect("it starts");
        let address = self.machines.gateway.address;
        let deployment = &self.machines.town.world.deployment;
        let client = |staff| StaffClient::connect(deployment, staff, address);
        self.machines.desk = client(&CITY_DESK).await.expect("desk");
        self.machines.admin = client(&ADMINISTRATOR).await.expect("admin");
    }

    async fn ids(&mut self) -> Vec<String> {
        let alerts = self.machines.desk.alerts().await.expect("alerts");
        let mut ids: Vec<String> = alerts.into_iter().map(|alert| alert.id).collect();
        ids.sort();
        ids
    }

    /// Waits until the log's witnesses have cosigned entries that were written after this call.
    async fn is_cosigned_beyond_now(&mut self) {
        let size = || -> u64 {
            let note = fs::read_to_string(self.data.join("log.cosigned")).unwrap_or_default();
            note.lines().nth(1).and_then(|line| line.parse().ok()).unwrap_or(0)
        };
        let (mut last, mut grown, started) = (size(), 0, Instant::now());
        // The first may be over entries from before, and the second be signed already.
        while grown < 3 {
            assert!(started.elapsed() < PATIENCE, "nobody cosigns");
            // Whoever reads alerts adds to the log.
            self.machines.desk.alerts().await.expect("alerts");
            tokio::time::sleep(Duration::from_millis(100)).await;
            if size() > last {
                (last, grown) = (size(), grown + 1);
            }
        }
    }
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_moves_to_another_machine_by_a_backup_and_goes_on_where_it_was() {
    let mut bureau = Bureau::start().await;
    let before = bureau.ids().await;
    assert!(!before.is_empty(), "there are alerts to lose");
    bureau.kill().await;
    let backup = bureau.backup("backup");
    assert!(!backup.join("log.key").exists(), "a backup cannot sign");
    bureau.restore(&backup);
    assert_eq!(bureau.check().0, Some(0), "{}", bureau.check().1);
    bureau.start_again().await;
    assert_eq!(bureau.ids().await, before, "at once, before anybody released anything");
    bureau.machines.come_to(false, &[]).await;
    assert_eq!(bureau.ids().await, before);
    bureau.machines.write(true);
    bureau.machines.hang_up().await;
    bureau.machines.come_to(true, &[]).await;
    assert_eq!(bureau.check().0, Some(0), "{}", bureau.check().1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_the_gateway_serves_is_whole_and_an_older_log_is_not_gone_on_with() {
    let mut bureau = Bureau::start().await;
    let before = bureau.ids().await;
    let backup = bureau.backup("backup");
    assert_eq!(bureau.check().0, Some(0), "{}", bureau.check().1);
    bureau.is_cosigned_beyond_now().await;
    bureau.kill().await;

    let old = bureau.restore(&backup);
    assert_eq!(bureau.check().0, Some(0), "the copy is whole: {}", bureau.check().1);
    let refused = Process::start("gateway", &bureau.config).await.err();
    let refused = refused.expect("it would fork the log").to_string();
    assert!(refused.contains("would be a fork"), "{refused}");
    assert_eq!(bureau.check().0, Some(0), "nothing was added: {}", bureau.check().1);

    // The newest log still exists, so that is what is put back.
    for name in ["log", "log.journal", "log.checkpoint", "log.cosigned"] {
        let place = bureau.data.join(name);
        let _ = fs::remove_dir_all(&place);
        let _ = fs::remove_file(&place);
        fs::rename(old.join(name), place).expect("moved");
    }
    bureau.start_again().await;
    assert_eq!(bureau.ids().await, before);
    bureau.machines.come_to(false, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_that_changed_is_named_and_the_dataset_is_sent_again() {
    let mut bureau = Bureau::start().await;
    let before = bureau.ids().await;
    bureau.kill().await;
    let cars = bureau.data.join("rows-1/cars");
    let run = fs::read_dir(&cars).expect("there").filter_map(Result::ok).map(|file| file.path());
    let run = run.into_iter().find(|path| path.extension().is_some_and(|e| e == "run"));
    let run = run.expect("cars have rows");
    let mut bytes = fs::read(&run).expect("read");
    bytes[20] ^= 1;
    fs::write(&run, bytes).expect("written");

    let (code, words) = bureau.check();
    let name = run.file_name().and_then(|name| name.to_str()).expect("a name");
    assert_eq!(code, Some(3), "{words}");
    assert!(words.contains(name) && words.contains("asks for this dataset anew"), "{words}");
    bureau.start_again().await;
    bureau.machines.come_to(false, &[]).await;
    assert_eq!(bureau.ids().await, before);
    let started = Instant::now();
    while bureau.check().0 != Some(0) {
        assert!(started.elapsed() < PATIENCE, "{}", bureau.check().1);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
