//! A whole dataset under suite `oprf`, end to end on this machine: an agency reads it, has everybody
//! evaluated by key holders through the gateway, and publishes it; beside the same under suite
//! `salted-hash`, where nobody is asked.

use std::{
    fmt::Write,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use clap::Args;
use jiff::{Timestamp, civil::date};
use proto::scope::Suite;
use tests::{city::number, deployment::ADMINISTRATOR, world::World};
use tokio::runtime::Runtime;

use crate::report::{Measured, Report};

/// Three agencies that hold the key, and a fourth whose people are evaluated.
const POLICY: &str = include_str!("evaluate_policy.toml");
const DATASET: &str = "[[dataset]]\nid = \"residents\"\nkind = \"cross_check\"\ncsv = \"residents.csv\"\n\
                       encoding = \"utf-8\"\nk_threshold = 1\n\
                       identifier = { column = \"id\", type = \"resident_id\" }\n\
                       [[dataset.flag]]\nname = \"listed\"\nwhen = { always = true }\n";
const REQUESTER: &str = "registry";
/// Births that one day can number.
const DAY: usize = 999;
const LOOK: Duration = Duration::from_millis(100);
const LIMIT: Duration = Duration::from_secs(3600);

/// How much to measure.
#[derive(Args)]
pub struct Arguments {
    /// How many people the dataset has; at most 600,000, which is the quota.
    #[arg(long, default_value_t = 510_000)]
    people: usize,
}

/// What one run took.
struct Run {
    seconds: f64,
    bytes: f64,
}

/// Runs both suites, the weaker one first.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let runtime = Runtime::new()?;
    let people = arguments.people;
    let plain = runtime.block_on(publish(Suite::SaltedHash, people))?;
    let evaluated = runtime.block_on(publish(Suite::Oprf, people))?;
    let figure = |what: &str, value, unit| Measured { what: what.into(), value, unit };
    let each = |of: fn(&Run) -> f64| (of(&evaluated) - of(&plain)) / people as f64;
    Ok(Report {
        benchmark: "evaluate",
        measured: vec![
            figure("people", people as f64, ""),
            figure("read, seal, send: suite salted-hash", plain.seconds, "s"),
            figure("the same with evaluation: suite oprf", evaluated.seconds, "s"),
            figure("evaluation alone, for each person", each(|run| run.seconds) * 1e6, "us"),
            figure("on the wire: suite salted-hash", plain.bytes / 1e6, "MB"),
            figure("on the wire: suite oprf", evaluated.bytes / 1e6, "MB"),
            figure("evaluation alone, for each person", each(|run| run.bytes), "bytes"),
        ],
        compared: vec![],
    })
}

/// Starts a federation and waits until the gateway has everybody's row.
async fn publish(suite: Suite, people: usize) -> anyhow::Result<Run> {
    let dataset = |agency: &str| if agency == REQUESTER { DATASET } else { "" }.to_owned();
    let sources = |dir: &Path| source(dir, people);
    let mut world = World::new(POLICY, suite, Timestamp::now(), sources, dataset)?;
    let (began, before) = (Instant::now(), loopback_bytes()?);
    world.start().await?;
    let mut admin = world.client(&ADMINISTRATOR).await?;
    loop {
        let datasets = admin.datasets().await?;
        let residents = datasets.iter().find(|dataset| dataset.dataset == "residents");
        let residents = residents.context("the policy has the dataset")?;
        if residents.rows == people as u64 {
            break;
        }
        if began.elapsed() > LIMIT {
            bail!("not published within {} s: {}", LIMIT.as_secs(), residents.problem);
        }
        tokio::time::sleep(LOOK).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let bytes = (loopback_bytes()? - before) as f64;
    world.stop_gateway().await?;
    for agency in world.deployment.agencies() {
        world.stop_adapter(&agency).await?;
    }
    Ok(Run { seconds, bytes })
}

/// A file of synthetic people, each once.
fn source(dir: &Path, people: usize) -> anyhow::Result<()> {
    let home = dir.join(REQUESTER);
    fs::create_dir_all(&home)?;
    let mut text = "id\n".to_owned();
    let mut born = date(1950, 1, 1);
    for person in 0..people {
        let sequence = u16::try_from(person % DAY + 1).expect("at most 999");
        writeln!(text, "{}", number::number(born, sequence))?;
        if person % DAY == DAY - 1 {
            born = born.tomorrow()?;
        }
    }
    Ok(fs::write(home.join("residents.csv"), text)?)
}

/// What this machine has sent to itself since it started, headers included.
fn loopback_bytes() -> anyhow::Result<u64> {
    let text = fs::read_to_string("/proc/net/dev").context("the counters of the network")?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("lo:"));
    let received = line.and_then(|line| line.split_whitespace().next());
    received.context("a loopback interface")?.parse().context("a number of bytes")
}
