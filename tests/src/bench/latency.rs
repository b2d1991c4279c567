//! From a changed row to the alert: an adapter reads its file again, the gateway is told over mutual TLS,
//! keeps what it was told, runs the rules, logs and writes the alert, and delivers it, logged, to whoever
//! watches. The base is a city's.
//!
//! The adapter's new version exists once its own file is read. That moment is taken from a second client
//! with the gateway's certificate, which is told at the same time as the gateway.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use clap::Args;
use proto::{
    identity::{Identity, Party},
    tls::{Tls, TlsPem},
    transport::{self, MAX_MESSAGE, Target},
    wire::{self, adapter_service_client::AdapterServiceClient, watch_alerts_response::Event},
};
use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    world::World,
};
use tokio::{runtime::Runtime, sync::mpsc, time::timeout};

use crate::{
    latency_town::{self, CHANGING, Labour},
    report::{Compared, Report},
};

const AGENCY: &str = "labour";
/// Milliseconds.
const GOAL: f64 = 10.0;
const PATIENCE: Duration = Duration::from_secs(30);
const LONG: Duration = Duration::from_secs(1200);
const LOOK: Duration = Duration::from_millis(200);

/// How much to measure.
#[derive(Args)]
pub struct Arguments {
    /// People in the base.
    #[arg(long, default_value_t = 510_000)]
    people: usize,
    /// Changes of each kind.
    #[arg(long, default_value_t = 500)]
    changes: usize,
}

/// When what happened of one change.
struct Change {
    asked: Instant,
    published: Instant,
    delivered: Instant,
}

/// Makes the federation, waits for the base, and changes one person after another.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    ensure!(arguments.changes.max(1) <= CHANGING, "at most {CHANGING} changes of each kind");
    Runtime::new()?.block_on(measure(arguments))
}

async fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let (mut world, mut labour) = latency_town::world(arguments.people)?;
    let began = Instant::now();
    world.start().await?;
    filled(&world, arguments.people).await?;
    let mut report = Report { benchmark: "latency", measured: vec![], compared: vec![] };
    report.figure("people in the base", arguments.people as f64, "");
    report.figure("from files to a filled base", began.elapsed().as_secs_f64(), "s");
    let mut alerts = watched(&world).await?;
    let mut released = published(&world, true).await?;
    let mut sealed = published(&world, false).await?;
    let count = arguments.changes;
    let mut subjects = vec![];
    for place in 0..count {
        labour.change(place, |worker| worker.recent = true)?;
        subjects.push(one(&world, &mut released, &mut alerts).await?);
    }
    let mut rows = vec![];
    for place in 0..count {
        labour.change(place, |worker| worker.benefit = true)?;
        rows.push(one(&world, &mut sealed, &mut alerts).await?);
    }
    for (what, changes) in [("a released subject", subjects), ("a sealed row", rows)] {
        tell(what, &changes, &mut report);
    }
    end(world, labour).await?;
    Ok(report)
}

async fn end(mut world: World, _labour: Labour) -> anyhow::Result<()> {
    world.stop_gateway().await?;
    for agency in world.deployment.agencies() {
        world.stop_adapter(&agency).await?;
    }
    Ok(())
}

fn tell(what: &str, changes: &[Change], report: &mut Report) {
    let milliseconds = |from: fn(&Change) -> Instant, to: fn(&Change) -> Instant| {
        let times = changes.iter().map(|it| to(it).saturating_duration_since(from(it)));
        let mut times: Vec<f64> = times.map(|time| time.as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times
    };
    let at = |times: &[f64], part: usize| times[(times.len() * part / 100).min(times.len() - 1)];
    let reading = milliseconds(|it| it.asked, |it| it.published);
    let ours = milliseconds(|it| it.published, |it| it.delivered);
    for (stretch, times) in
        [("file read, version published", &reading), ("version to alert", &ours)]
    {
        for part in [50, 99, 100] {
            let name = if part == 100 { "largest".to_owned() } else { format!("p{part}") };
            report.figure(&format!("{what}: {stretch}, {name}"), at(times, part), "ms");
        }
    }
    report.compared.push(Compared::new(
        format!("{what}: version to alert, p99, ms"),
        "the goal".into(),
        [GOAL, at(&ours, 99)],
        1.0,
    ));
}

/// Waits until the gateway has everybody.
async fn filled(world: &World, people: usize) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut admin = world.client(&ADMINISTRATOR).await?;
    loop {
        let datasets = admin.datasets().await?;
        let has = |id: &str, rows: usize| {
            datasets.iter().any(|it| it.dataset == id && it.rows == rows as u64)
        };
        let small = ["unemployed", "benefit"].iter().all(|id| has(id, CHANGING));
        if small && ["poor", "register", "cars"].iter().all(|id| has(id, people)) {
            return Ok(());
        }
        if began.elapsed() > LONG {
            bail!("the base is not filled: {datasets:#?}");
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Every alert that is delivered, and when.
async fn watched(world: &World) -> anyhow::Result<mpsc::Receiver<Instant>> {
    let mut desk = world.client(&CITY_DESK).await?;
    let request = wire::WatchAlertsRequest::default();
    let mut events = desk.matches.watch_alerts(request).await?.into_inner();
    let (sender, receiver) = mpsc::channel(CHANGING);
    tokio::spawn(async move {
        // Kept for as long as anybody looks.
        let _desk = desk;
        while let Ok(Some(event)) = events.message().await {
            let now = Instant::now();
            if matches!(event.event, Some(Event::Alert(_))) && sender.send(now).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// When each version of a dataset of the small agency is told to a client like the gateway.
async fn published(world: &World, watch: bool) -> anyhow::Result<mpsc::Receiver<Instant>> {
    let mut client = client(world).await?;
    let scope = Some((&world.deployment.manifest.scope).into());
    let (sender, receiver) = mpsc::channel(CHANGING);
    if watch {
        let dataset = "unemployed".to_owned();
        let request = wire::ReleaseRequest { scope, dataset, after: None };
        let mut frames = client.release(request).await?.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frames.message().await {
                let now = Instant::now();
                let begins = matches!(frame.frame, Some(wire::release_frame::Frame::Header(_)));
                if begins && sender.send(now).await.is_err() {
                    return;
                }
            }
        });
    } else {
        let request = wire::SyncRequest { scope, dataset: "benefit".into(), after: None };
        let mut frames = client.sync(request).await?.into_inner();
        tokio::spawn(async move {
            while let Ok(Some(frame)) = frames.message().await {
                let now = Instant::now();
                let begins = matches!(frame.frame, Some(wire::sync_frame::Frame::Header(_)));
                if begins && sender.send(now).await.is_err() {
                    return;
                }
            }
        });
    }
    Ok(receiver)
}

async fn client(world: &World) -> anyhow::Result<AdapterServiceClient<tonic::transport::Channel>> {
    let deployment = &world.deployment;
    let issued = deployment.pki.issue("gateway", "gateway");
    let tls = Tls::from_pem(&TlsPem {
        certificate: issued.certificate.as_bytes(),
        key: issued.key.as_bytes(),
        trust: deployment.pki.trust_pem().as_bytes(),
        revoked: None,
    })?;
    let agency = AGENCY.parse()?;
    let target = Target {
        address: world.adapter_address(&agency).to_string(),
        server_name: "localhost".into(),
        identity: Identity {
            programme: deployment.manifest.scope.programme.clone(),
            party: Party::Agency(agency),
        },
    };
    let channel = transport::connect(target, tls.client).await.map_err(anyhow::Error::msg)?;
    Ok(AdapterServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE))
}

/// One change that is in the file already, until its alert is delivered.
async fn one(
    world: &World,
    published: &mut mpsc::Receiver<Instant>,
    alerts: &mut mpsc::Receiver<Instant>,
) -> anyhow::Result<Change> {
    while alerts.try_recv().is_ok() {}
    while published.try_recv().is_ok() {}
    let asked = Instant::now();
    world.reload(&AGENCY.parse()?)?;
    let published = timeout(PATIENCE, published.recv()).await;
    let published = published.ok().flatten().context("the version is not told")?;
    let delivered = timeout(PATIENCE, alerts.recv()).await;
    let delivered = delivered.ok().flatten().context("the alert is not delivered")?;
    Ok(Change { asked, published, delivered })
}
