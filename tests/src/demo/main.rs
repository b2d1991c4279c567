//! `demo`: a synthetic city, nineteen real adapters, one real gateway; prints the alerts and checks
//! them against an independent evaluator.

mod report;
mod tour;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Parser;
use proto::{
    name::AgencyId,
    scope::Suite,
    wire::{AlertState, Freshness},
};
use tests::{
    city::{City, catalogue::HOUSEHOLDS},
    deployment::{ADMINISTRATOR, CITY_DESK, Deployment, STAFF, STREET_WORKER},
    oracle::{self, Outcome, PersonId},
    process,
    running::Running,
    staff_client::{Alerts, StaffClient},
};
use tokio::signal::unix::{SignalKind, signal};

use crate::report::Result as DemoResult;

/// How long everything may take to arrive and settle.
const DEADLINE: Duration = Duration::from_secs(300);
/// Unknowns show after five seconds: alerts that stay as expected for longer are the answer.
const SETTLED: Duration = Duration::from_secs(7);
const LOOK: Duration = Duration::from_millis(250);

/// Shows the whole system on a synthetic city. Nobody in it exists.
#[derive(Parser)]
#[command(version)]
pub struct Arguments {
    /// Run to the end, print one line of JSON, and succeed only if the alerts are exactly those
    /// expected.
    #[arg(long)]
    once: bool,
    /// Residents of the city.
    #[arg(long, default_value_t = 20_000)]
    population: usize,
    /// Another seed is another city.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// `oprf`, or the weaker `salted-hash`, which needs no key holders.
    #[arg(long, default_value = "oprf", value_parser = suite)]
    suite: Suite,
    /// Make everything in this directory, which must be empty or new, and leave it there.
    #[arg(long)]
    keep: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Whatever ends it, `run` is dropped, and all programs with it.
    let finished = tokio::select! {
        finished = run(&arguments) => finished,
        told = told_to_stop() => told.map(|()| !arguments.once),
    };
    match finished {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns when somebody has had enough: Ctrl-C, `kill`, or a terminal that is closed.
async fn told_to_stop() -> anyhow::Result<()> {
    let mut signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()]
        .map(signal)
        .into_iter()
        .collect::<std::io::Result<Vec<_>>>()?;
    let waiting = signals.iter_mut().map(|signal| Box::pin(signal.recv()));
    futures::future::select_all(waiting).await;
    Ok(())
}

/// True where the alerts were exactly those expected.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let temporary = tempfile::tempdir()?;
    let dir = arguments.keep.clone().unwrap_or_else(|| temporary.path().join("federation"));
    if dir.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        anyhow::bail!("{} is not empty: name another directory", dir.display());
    }
    fs::create_dir_all(&dir)?;
    let dir = dir.canonicalize()?;
    let started = Instant::now();
    eprintln!("making a city of {} residents ...", arguments.population);
    let policy = fs::read_to_string(policy_path()?)?;
    let today = agency_adapter::clock::Clock::system().today();
    let city = City::generate(arguments.population, arguments.seed, today);
    city.write_sources(&dir)?;
    let deployment =
        Deployment::create(&dir, &policy, arguments.suite, |agency| city.dataset_toml(agency))?;
    let expected = expected(&city, &policy, &deployment)?;

    if arguments.suite == Suite::Oprf {
        let holders = deployment.manifest.holders();
        let names: Vec<_> = holders.agencies.iter().map(AgencyId::as_str).collect();
        let (threshold, names) = (holders.threshold, names.join(", "));
        eprintln!(
            "suite oprf: {threshold} of the key holders {names} evaluate every identifier (shares by a \
             trusted dealer, as in a demo only)"
        );
    }
    eprintln!("starting {} adapters and the gateway ...", deployment.agencies().len());
    let running = Running::start(deployment).await?;
    let mut desk = running.client(&CITY_DESK).await?;
    let mut admin = running.client(&ADMINISTRATOR).await?;

    eprintln!("waiting until every dataset has arrived and the alerts have settled ...");
    let rows = arrive(&mut admin, started).await?;
    let (alerts, seconds) = settle(&mut desk, &expected, started).await?;
    let result = DemoResult::new(city.base().count(), rows, &alerts, &expected, seconds);
    report::alerts(&mut desk).await?;
    result.print(arguments.once)?;
    if arguments.once {
        return Ok(result.is_exact());
    }
    for staff in STAFF {
        running.deployment.ctl_config(&staff, running.gateway.address)?;
    }
    let ctl = process::binary("gatewayctl")?;
    let programs = ctl.parent().context("it is in a directory")?;
    let alerts = running.client(&STREET_WORKER).await?.alerts().await?;
    let open = alerts.iter().find(|alert| alert.state() == AlertState::Open);
    let case = open.map_or("ID", |alert| &alert.id);
    tour::print(programs, &dir, case)?;
    // Until Ctrl-C, which ends `main`'s select.
    std::future::pending().await
}

fn suite(text: &str) -> Result<Suite, String> {
    match text {
        "oprf" => Ok(Suite::Oprf),
        "salted-hash" => Ok(Suite::SaltedHash),
        _ => Err("either oprf or salted-hash".to_owned()),
    }
}

fn policy_path() -> anyhow::Result<PathBuf> {
    let path = PathBuf::from("deploy/policy/default.toml");
    path.canonicalize().context("start the demo with ./deploy/demo")
}

/// What an evaluator that sees the plain data says, under the subjects' pseudonyms.
fn expected(city: &City, policy: &str, deployment: &Deployment) -> anyhow::Result<Alerts> {
    let mut alerts = Alerts::new();
    let register = HOUSEHOLDS.parse()?;
    let rank = |person: &PersonId| {
        deployment.member_of(person, &register, city.today()).expect("a resident").0
    };
    for ((person, rule), outcome) in oracle::expected(city, policy, &Default::default(), rank) {
        let state = match outcome {
            Outcome::Alert => AlertState::Open,
            Outcome::Pending => AlertState::Pending,
            Outcome::Covered | Outcome::OverMeans | Outcome::Held => continue,
        };
        let subject = deployment.subject_of(&person, city.today())?;
        alerts.insert((subject.to_string(), rule), state);
    }
    Ok(alerts)
}

/// Waits until every dataset is fresh; says how many rows there are.
async fn arrive(admin: &mut StaffClient, started: Instant) -> anyhow::Result<u64> {
    loop {
        let datasets = admin.datasets().await?;
        if datasets.iter().all(|dataset| dataset.freshness() == Freshness::Fresh) {
            return Ok(datasets.iter().map(|dataset| dataset.rows).sum());
        }
        if started.elapsed() > DEADLINE {
            let late = datasets.iter().filter(|d| d.freshness() != Freshness::Fresh);
            let late: Vec<_> = late.map(|d| format!("{}: {}", d.dataset, d.problem)).collect();
            anyhow::bail!("some datasets did not arrive:\n{}", late.join("\n"));
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Waits until the alerts are and stay as expected, or the time is over.
async fn settle(
    desk: &mut StaffClient,
    expected: &Alerts,
    started: Instant,
) -> anyhow::Result<(Alerts, f64)> {
    let mut exact_since: Option<Instant> = None;
    let mut changed = Instant::now();
    let mut last = Alerts::new();
    loop {
        let alerts = desk.alert_states().await?;
        if alerts != last {
            changed = Instant::now();
            last.clone_from(&alerts);
        }
        exact_since = (alerts == *expected).then(|| exact_since.unwrap_or_else(Instant::now));
        if let Some(since) = exact_since.filter(|since| since.elapsed() > SETTLED) {
            return Ok((alerts, (since - started).as_secs_f64()));
        }
        // Neither exact nor moving any more.
        if exact_since.is_none() && changed.elapsed() > 4 * SETTLED {
            return Ok((alerts, started.elapsed().as_secs_f64()));
        }
        tokio::time::sleep(LOOK).await;
    }
}
