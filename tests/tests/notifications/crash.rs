//! A gateway that is killed while a notification is under way sends it again under the same id.

use std::{fs, time::Instant};

use gateway::{
    database,
    notify::{
        deliveries::{Deliveries, State},
        notice::Kind,
        outbox,
    },
};
use jiff::Timestamp;
use proto::scope::Suite;
use tests::{
    deployment::Deployment,
    process::Process,
    stubs::https::{Answer, HttpsStub},
};

use super::{FIRST, SECRET, notice, secret, webhook};
use crate::fixture::default_policy;

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_killed_between_sending_and_marking_sends_again_under_the_same_id() {
    let dir = tempfile::tempdir().expect("a directory");
    let home = dir.path().canonicalize().expect("it is there");
    let deployment =
        Deployment::create(&home, &default_policy(), Suite::SaltedHash, |_| String::new());
    let mut deployment = deployment.expect("files");
    let stub = HttpsStub::start(&deployment.pki).await.expect("a stub");
    stub.answer(Answer::Silence);
    secret(&home.join("gateway/new.secret"), SECRET);
    fs::write(home.join("gateway/trust.pem"), deployment.pki.trust_pem()).expect("written");
    deployment.gateway_extra = webhook("desk", &stub, "");
    let nowhere = "127.0.0.1:1".parse().expect("an address");
    let adapters = deployment.agencies().into_iter().map(|agency| (agency, nowhere)).collect();
    let config = deployment.gateway_config(&adapters).expect("written");
    let pool = database::open(&home.join("gateway/data/alerts.sqlite")).await.expect("a file");
    let deliveries = Deliveries::new(pool);
    let mut transaction = deliveries.pool().begin().await.expect("begun");
    let told = notice(FIRST, Kind::Assigned, Timestamp::now());
    outbox::put(&mut transaction, &told).await.expect("put");
    transaction.commit().await.expect("committed");

    let gateway = Process::start("gateway", &config).await.expect("it starts");
    stub.inbox.at_least(1).await.expect("it is under way");
    gateway.kill().await.expect("killed");
    stub.answer(Answer::Status(200, "", ""));
    let _gateway = Process::start("gateway", &config).await.expect("it starts again");
    let requests = stub.inbox.at_least(2).await.expect("sent again");
    assert_eq!(requests[0].headers["webhook-id"], requests[1].headers["webhook-id"]);
    assert_eq!(requests[0].body, requests[1].body);
    let started = Instant::now();
    while deliveries.list(&[State::Sent], 1).await.expect("read").is_empty() {
        assert!(started.elapsed().as_secs() < 60, "it is marked as sent");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(stub.inbox.all().len(), 2);
}
