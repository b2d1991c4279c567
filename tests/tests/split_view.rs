//! Two gateways with one log's key that tell two witnesses different things at the same time.

use std::{fs, net::SocketAddr, path::Path, time::Duration};

use agency_adapter::{agency::Agency, config::Config, witness::status::WitnessStatus};
use gateway::{clock::Clock, config::Config as GatewayConfig, gateway::Gateway};
use proto::{
    checkpoint::Checkpoint,
    merkle::TreeHead,
    transport,
    wire::{ListAgenciesRequest, LogWitnesses},
};
use tests::{
    deployment::{ADMINISTRATOR, CITY_DESK},
    log_reader::log_key,
    oracle::random::SMALL_POLICY,
    staff_client::StaffClient,
    world::World,
};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    siege::{RULE, sources},
    town::{Town, agency},
};

/// The same data and the same keys, and other witnesses.
struct Twin {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Twin {
    /// Runs beside the world's gateway, on a copy of what that had before.
    async fn start(world: &World) -> Self {
        let config = world.gateway_config().expect("written");
        let text = fs::read_to_string(&config).expect("read");
        let twin = config.with_file_name("twin.toml");
        fs::write(&twin, text.replace("data_dir = \"data\"", "data_dir = \"twin\""))
            .expect("written");
        let config = GatewayConfig::read(&twin).expect("good");
        let listener = transport::bind(config.listen).await.expect("bound");
        let address = listener.local_addr().expect("bound");
        let (_hand, clock) = Clock::manual(world.now());
        let gateway = Gateway::build(config, clock).await.expect("built");
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = Box::pin(async move { drop(stopped.await) });
        let task = tokio::spawn(async move { gateway.serve(listener, stopped).await });
        Self { address, stop, task }
    }

    async fn stop(self) {
        self.stop.send(()).expect("it runs");
        self.task.await.expect("no panic").expect("ended well");
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// What an agency's operator sees.
pub fn seen_by(world: &World, id: &str) -> WitnessStatus {
    let config = Config::read(&world.deployment.adapter_config(&agency(id))).expect("good");
    let own = Agency::open(&config).expect("an agency");
    WitnessStatus::read(&config, &own, world.now()).expect("a status")
}

/// Waits until an agency's operator sees this.
pub async fn until_seen(world: &World, id: &str, good: impl Fn(&WitnessStatus) -> bool) {
    let look = || async { Ok(seen_by(world, id)) };
    world.until(look, good).await.unwrap_or_else(|error| panic!("{id}: {error}"));
}

async fn witnesses(world: &World, gateway: SocketAddr) -> LogWitnesses {
    let admin = StaffClient::connect(&world.deployment, &ADMINISTRATOR, gateway).await;
    let agencies = admin.expect("admin").admin.list_agencies(ListAgenciesRequest {}).await;
    agencies.expect("listed").into_inner().witnesses.expect("told")
}

/// The two signed heads that an agency keeps.
fn evidence(world: &World, id: &str) -> [TreeHead; 2] {
    let directory = world.deployment.dir.join(id).join("state/evidence");
    let key = log_key(&world.deployment.manifest);
    let mut heads = ["known", "shown"].map(|end| {
        let files =
            fs::read_dir(&directory).expect("kept").map(|file| file.expect("a file").path());
        let file = files.into_iter().find(|file| file.extension().is_some_and(|e| e == end));
        let text = fs::read_to_string(file.expect("both are kept")).expect("read");
        // What was shown is kept as a request: the note follows a blank line.
        let note = if end == "shown" { text.split_once("\n\n").expect("a note").1 } else { &text };
        Checkpoint::open(note, &key).expect("signed with the log's key").head()
    });
    heads.sort_by_key(|head| head.size);
    heads
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_6_a_split_view_shown_to_two_witnesses_at_once_is_found_and_ends_what_is_served() {
    let mut town = Town::new(&(SMALL_POLICY.to_owned() + RULE), &sources(false));
    town.world.start().await.expect("started");
    let facts = town.facts(&sources(false));
    town.come_to(&facts, &[]).await.expect("all is well");
    let world = &mut town.world;
    for id in ["aid", "police"] {
        until_seen(world, id, |seen| seen.cosigned_size.is_some()).await;
    }
    let common = witnesses(world, world.gateway_address()).await.cosigned_size;
    world.stop_gateway().await.expect("stopped");
    let data = world.deployment.dir.join("gateway/data");
    copy(&data, &data.with_file_name("twin"));

    // One is told by the gateway and one by its twin. Neither can see that there are two.
    let nowhere = transport::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("bound");
    let nowhere = nowhere.local_addr().expect("bound");
    let doors = ["aid", "police"].map(|id| world.adapter_address(&agency(id)));
    world.reach_through(&agency("police"), nowhere);
    world.start_gateway().await.expect("started");
    world.reach_through(&agency("aid"), nowhere);
    world.reach_through(&agency("police"), doors[1]);
    let twin = Twin::start(world).await;
    let mut desk = world.client(&CITY_DESK).await.expect("desk");
    for _ in 0..40 {
        desk.alerts().await.expect("listed, and so logged");
    }
    let longer = |seen: &WitnessStatus| seen.cosigned_size > Some(common + 1);
    until_seen(world, "aid", longer).await;
    until_seen(world, "police", longer).await;
    for id in ["aid", "police"] {
        assert!(seen_by(world, id).serving, "{id} has seen one log only");
    }
    // But neither log is vouched for: the quorum is two.
    world.pass(Duration::from_secs(60));
    for gateway in [world.gateway_address(), twin.address] {
        let told = witnesses(world, gateway).await;
        assert!(told.cosigned_size < told.log_size, "{told:?}");
    }

    // Whoever of them is shown the other log has the proof.
    twin.stop().await;
    world.stop_gateway().await.expect("stopped");
    world.reach_through(&agency("aid"), doors[0]);
    world.start_gateway().await.expect("started");
    until_seen(world, "police", |seen| !seen.serving && seen.forks.len() == 1).await;
    let [shorter, longer] = evidence(world, "police");
    assert!(shorter.size <= longer.size && shorter.root != longer.root);
    let admin = world.client(&ADMINISTRATOR).await.expect("admin");
    let told = || town.line(&admin, "cars");
    let stopped = |line: &proto::wire::DatasetStatus| line.problem.contains("log fork");
    town.world.until(told, stopped).await.expect("the police serves this gateway no more");
    assert!(seen_by(&town.world, "aid").serving, "who was told one thing has no proof");
}
