//! The access log from outside: what staff are shown is in it first, nothing else is, and only auditors
//! read it.

use std::{collections::BTreeSet, path::Path};

use futures::StreamExt;
use gateway::audit::tile_files::TileFiles;
use proto::{
    act::Act,
    alert_id::AlertId,
    checkpoint::Checkpoint,
    entry::{Actor, Entry},
    fault::reason_of,
    log_proof::LogProof,
    log_verification,
    tile::{Tile, TileKind},
    tiled_tree::TreeFault,
    wire::{self, watch_alerts_response::Event},
};
use tests::{
    city::City,
    deployment::{ADMINISTRATOR, ANALYST, AUDITOR, CITY_DESK, SECURITY, STREET_WORKER, Staff},
    log_reader::{entries, log_key},
    staff_client::{StaffClient, channel},
    world::World,
};

use crate::fixture::{expected_of, settle, today, world_of};

/// What somebody was shown: by which answer's entry, and which alerts with their revisions.
struct Shown {
    who: &'static str,
    logged: wire::LogPlace,
    alerts: Vec<(String, u64)>,
}

/// A city whose alerts are all there.
pub async fn settled(seed: u64) -> (City, World) {
    let city = City::generate(1500, seed, today());
    let mut world = world_of(&city);
    world.start().await.expect("started");
    let desk = world.desk().await.expect("desk");
    settle(&world, &desk, &expected_of(&city, &world.deployment, &[])).await;
    (city, world)
}

fn key(alert: &wire::Alert) -> (String, u64) {
    (alert.id.clone(), alert.revision)
}

/// One member of staff pages, reads and watches; everything that the gateway delivers is written down.
async fn work(
    world: &World,
    staff: &Staff,
    shown: &mut Vec<Shown>,
    subjects: &mut BTreeSet<String>,
) {
    let mut client = world.client(staff).await.expect("a client");
    let (who, mut page_token) = (staff.id, String::new());
    let mut newest = 0;
    loop {
        let request = wire::ListAlertsRequest { page_size: 3, page_token, filter: None };
        let page = client.matches.list_alerts(request).await.expect("a page").into_inner();
        subjects.extend(page.alerts.iter().map(|alert| alert.subject.clone()));
        let alerts: Vec<_> = page.alerts.iter().map(key).collect();
        newest = alerts.iter().map(|(_, revision)| *revision).fold(newest, u64::max);
        for (id, _) in &alerts {
            let read = wire::GetAlertRequest { id: id.clone() };
            let read = client.matches.get_alert(read).await.expect("read").into_inner();
            let alerts = read.alert.iter().map(key).collect();
            shown.push(Shown { who, logged: read.logged.expect("a place"), alerts });
        }
        shown.push(Shown { who, logged: page.logged.expect("a place"), alerts });
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let request = wire::WatchAlertsRequest { filter: None, resume_after: 0 };
    let mut stream = client.matches.watch_alerts(request).await.expect("watching").into_inner();
    let mut seen = 0;
    while seen < newest {
        let event = stream.next().await.expect("open").expect("good");
        if let Some(Event::Alert(alert)) = &event.event {
            seen = alert.revision;
            let logged = event.logged.clone().expect("a place");
            shown.push(Shown { who, logged, alerts: vec![key(alert)] });
        }
    }
}

/// The log up to a time when it has everything that was shown.
async fn log_of(world: &World, until: u64) -> Vec<(Vec<u8>, Entry)> {
    let auditor = world.client(&AUDITOR).await.expect("the auditor");
    let manifest = &world.deployment.manifest;
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    world.until(read, |log| log.len() as u64 > until).await.expect("a checkpoint over it")
}

#[tokio::test(flavor = "multi_thread")]
async fn promise_6_nothing_is_delivered_that_was_not_logged_first_and_no_entry_is_changed_unseen() {
    let (_, mut world) = settled(61).await;
    let (mut shown, mut subjects) = (vec![], BTreeSet::new());
    for staff in [&CITY_DESK, &STREET_WORKER, &CITY_DESK] {
        work(&world, staff, &mut shown, &mut subjects).await;
    }
    let last = shown.iter().map(|shown| shown.logged.index).max().expect("something was shown");
    let log = log_of(&world, last).await;

    let origin = log_key(&world.deployment.manifest).name.to_string();
    for Shown { who, logged, alerts } in &shown {
        assert_eq!(logged.origin, origin);
        let place = usize::try_from(logged.index).expect("small");
        let entry = &log[place].1;
        assert_eq!(*entry.by(), Actor::Officer(who.parse().expect("a name")));
        for (id, revision) in alerts {
            let id: AlertId = id.parse().expect("an id");
            assert!(entry.act().alerts().contains(&id), "{who} was shown {id}, and {entry:?}");
            let made = log[..place].iter().any(|(_, entry)| {
                matches!(entry.act(), Act::AlertChanged { alert, revision: logged, .. }
                    if *alert == id && logged == revision)
            });
            assert!(made, "{id} #{revision} was shown and is not logged before");
        }
    }
    assert!(shown.len() > 20 && subjects.len() > 3, "it was a busy session");

    for (bytes, _) in &log {
        let text = String::from_utf8_lossy(bytes);
        let personal = subjects.iter().find(|subject| text.contains(subject.as_str()));
        assert_eq!(personal, None, "an entry names a subject: {text}");
    }
    let words: BTreeSet<&str> = log.iter().map(|(_, entry)| entry.act().word()).collect();
    for word in ["started", "sync_accepted", "release_used", "grants_carried", "rules_run"] {
        assert!(words.contains(word), "{word} in {words:?}");
    }

    world.stop_gateway().await.expect("stopped");
    tampering_is_found(&world, log.len());
}

/// Every entry of the first bundle on disk, changed one at a time.
fn tampering_is_found(world: &World, entries: usize) {
    let kept = world.deployment.dir.join("gateway/data/log");
    let verified = |directory: &Path| {
        let note = std::fs::read_to_string(directory.join("checkpoint")).expect("a checkpoint");
        let checkpoint = Checkpoint::open(&note, &log_key(&world.deployment.manifest));
        let head = checkpoint.expect("signed by the log").head();
        let verified =
            log_verification::verify(&TileFiles::in_directory(directory), &head, None, |_, _| {});
        (head.size, verified)
    };
    let (size, verified_as_kept) = verified(&kept);
    assert!(verified_as_kept.is_ok() && size >= entries as u64, "{verified_as_kept:?}");
    let first = Tile::in_tree(TileKind::Entries, 0, size).expect("there are entries");
    let bundle = kept.join(first.to_string());
    let good = std::fs::read(&bundle).expect("a bundle");
    let mut place = 0;
    for index in first.entries() {
        let length = usize::from(u16::from_be_bytes([good[place], good[place + 1]]));
        let mut bad = good.clone();
        bad[place + 2 + length / 2] ^= 1;
        std::fs::write(&bundle, &bad).expect("written");
        let found = verified(&kept).1;
        assert!(matches!(found, Err(TreeFault::Entry { index: i, .. }) if i == index), "{found:?}");
        place += 2 + length;
    }
    std::fs::write(&bundle, &good).expect("written");
    assert!(verified(&kept).1.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auditor_reads_the_log_and_nothing_else_and_the_log_says_so() {
    let (_, world) = settled(62).await;
    let refused = |status: tonic::Status| reason_of(&status).unwrap_or_default();
    let mut auditor = world.client(&AUDITOR).await.expect("the auditor");
    let list = wire::ListAlertsRequest::default;
    let status = auditor.matches.list_alerts(list()).await.expect_err("no alerts");
    assert_eq!(refused(status), "NOT_PERMITTED");
    let status = auditor.matches.watch_alerts(wire::WatchAlertsRequest::default()).await;
    assert_eq!(refused(status.expect_err("no alerts")), "NOT_PERMITTED");
    let status = auditor.admin.list_agencies(wire::ListAgenciesRequest {}).await;
    assert_eq!(refused(status.expect_err("not theirs")), "NOT_PERMITTED");
    for staff in [CITY_DESK, ADMINISTRATOR, ANALYST, SECURITY] {
        let mut other = world.client(&staff).await.expect("a client");
        let status = other.audit.search(wire::SearchRequest::default()).await.expect_err("no log");
        assert_eq!(refused(status), "NOT_PERMITTED", "{}", staff.id);
    }
    let mut security = world.client(&SECURITY).await.expect("security");
    security.admin.list_grants(wire::ListGrantsRequest {}).await.expect("theirs");

    let by = |entry: &Entry, staff: &Staff| {
        *entry.by() == Actor::Officer(staff.id.parse().expect("a name"))
    };
    let logged = |log: &Vec<(Vec<u8>, Entry)>| {
        let count = |wanted: &dyn Fn(&Entry) -> bool| log.iter().filter(|(_, e)| wanted(e)).count();
        let read = count(&|e| by(e, &AUDITOR) && matches!(e.act(), Act::LogRead { .. }));
        let refused = count(&|e| by(e, &AUDITOR) && matches!(e.act(), Act::CallsRefused { .. }));
        let others = count(&|e| !by(e, &AUDITOR) && matches!(e.act(), Act::CallsRefused { .. }));
        read > 0 && refused >= 3 && others >= 4
    };
    let manifest = &world.deployment.manifest;
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    world.until(read, logged).await.expect("reads and refusals are in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_caller_types_never_enters_the_log() {
    const TYPED: &str = "zhang-san-32010419550615003X";
    let (_, world) = settled(63).await;
    let mut desk = world.desk().await.expect("desk");
    let filter = |filter| wire::ListAlertsRequest { filter: Some(filter), ..Default::default() };
    let text = || TYPED.to_owned();
    let typed = [
        filter(wire::AlertFilter { region_prefix: text(), ..Default::default() }),
        filter(wire::AlertFilter { rule: text(), ..Default::default() }),
        filter(wire::AlertFilter { situation: text(), ..Default::default() }),
        wire::ListAlertsRequest { page_token: text(), ..Default::default() },
    ];
    for request in typed {
        // Some are refused, some find nothing.
        let _ = desk.matches.list_alerts(request).await;
    }
    let read = wire::GetAlertRequest { id: text() };
    desk.matches.get_alert(read).await.expect_err("no alert is called so");
    let mut analyst = world.client(&ANALYST).await.expect("the analyst");
    let rule = Some(wire::evaluate_rule_request::Rule::Id(text()));
    analyst.matches.evaluate_rule(wire::EvaluateRuleRequest { rule }).await.expect_err("no rule");

    let auditor = world.client(&AUDITOR).await.expect("the auditor");
    let manifest = &world.deployment.manifest;
    let read = || {
        let mut auditor = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    let refused = |log: &Vec<(Vec<u8>, Entry)>| {
        let refused = log.iter().filter(|(_, entry)| entry.act().word() == "calls_refused");
        refused.count() >= 2
    };
    let log = world.until(read, refused).await.expect("the refusals are logged");
    let found = log.iter().find(|(bytes, _)| String::from_utf8_lossy(bytes).contains(TYPED));
    assert_eq!(found, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_receipts_for_what_they_were_shown_and_for_nothing_else() {
    let (_, world) = settled(64).await;
    let mut desk = world.desk().await.expect("desk");
    let shown = desk.matches.list_alerts(wire::ListAlertsRequest::default()).await;
    let index = shown.expect("alerts").into_inner().logged.expect("a place").index;
    let receipt = || {
        let mut desk = desk.clone();
        async move {
            match desk.audit.get_receipt(wire::GetReceiptRequest { index }).await {
                Ok(receipt) => Ok(Some(receipt.into_inner().proof)),
                // No checkpoint is over it yet.
                Err(status) if reason_of(&status).as_deref() == Some("BUSY") => Ok(None),
                Err(status) => Err(status.into()),
            }
        }
    };
    let receipt = world.until(receipt, Option::is_some).await.expect("a receipt").expect("there");
    let proof: LogProof = receipt.parse().expect("a proof");
    let entry = proof.extra.clone().expect("the entry is with it");
    let checkpoint =
        proof.verify(&entry, &log_key(&world.deployment.manifest)).expect("it verifies");
    assert!(proof.index == index && checkpoint.size() > index);

    let mut worker = world.client(&STREET_WORKER).await.expect("the worker");
    for other in [index, u64::MAX] {
        let refused = worker.audit.get_receipt(wire::GetReceiptRequest { index: other }).await;
        let reason = reason_of(&refused.expect_err("not theirs"));
        assert_eq!(reason.as_deref(), Some("NOT_FOUND"), "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_logs_files_are_served_to_auditors_only() {
    use axum::body::{Body, to_bytes};
    use tower::{Service, ServiceExt};
    let (_, world) = settled(65).await;
    // Enough to fill a bundle.
    let mut desk = world.desk().await.expect("the desk");
    for _ in 0..256 {
        desk.alerts().await.expect("shown");
    }
    log_of(&world, 256).await;
    let get = async |staff: &Staff, path: &str| {
        let (deployment, address) = (&world.deployment, world.gateway_address());
        let mut channel = channel(deployment, staff, address).await.expect("connected");
        let request = tonic::codegen::http::Request::get(path).body(tonic::body::Body::empty());
        let ready = channel.ready().await.expect("ready");
        let response = ready.call(request.expect("a request")).await.expect("answered");
        let (parts, body) = response.into_parts();
        let body = to_bytes(Body::new(body), 1 << 25).await.expect("a body").to_vec();
        (parts.status.as_u16(), parts.headers, body)
    };
    let (status, headers, note) = get(&AUDITOR, "/log/checkpoint").await;
    assert_eq!((status, &headers["cache-control"]), (200, &"no-cache".parse().expect("a value")));
    let note = String::from_utf8(note).expect("text");
    Checkpoint::open(&note, &log_key(&world.deployment.manifest)).expect("signed by the log");
    let (status, headers, tile) = get(&AUDITOR, "/log/tile/0/000").await;
    assert_eq!((status, tile.len()), (200, 256 * 32));
    assert!(headers["cache-control"].to_str().expect("text").contains("immutable"));
    assert_eq!(get(&AUDITOR, "/log/tile/entries/000").await.0, 200);
    for none in ["/log/tile/0/999", "/log/tile/0/0", "/log/log.key", "/log/../alerts.sqlite"] {
        assert_eq!(get(&AUDITOR, none).await.0, 404, "{none}");
    }
    for staff in [CITY_DESK, ADMINISTRATOR, SECURITY] {
        assert_eq!(get(&staff, "/log/tile/entries/000").await.0, 403, "{}", staff.id);
    }
    let bundle = |log: &Vec<(Vec<u8>, Entry)>| {
        log.iter().any(|(_, entry)| *entry.act() == Act::LogRead { first: 0, end: 256 })
    };
    let auditor = world.client(&AUDITOR).await.expect("the auditor");
    let manifest = &world.deployment.manifest;
    let read = || {
        let mut auditor: StaffClient = auditor.clone();
        async move { entries(&mut auditor, manifest).await }
    };
    world.until(read, bundle).await.expect("reading a bundle is logged");
}
