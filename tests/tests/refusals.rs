//! What a broken or hostile adapter might send: refused with a reason that names agency and dataset,
//! nothing half-applied, the last good state kept; and taken again once it is good.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use proto::{
    group::{FRAME_BYTES, GroupCheck},
    sealed_row::{RowNonce, RowSealer},
    wire::{self, release_frame::Frame as ReleasePart, sync_frame::Frame as SyncPart},
};
use tests::{deployment::ADMINISTRATOR, tap::Tampering};

use crate::{
    fixture::today,
    siege::{Siege, person, sources},
    town::{agency, dataset},
};

/// Changes every group of sealed rows of one dataset.
fn rows(change: impl Fn(&mut Vec<wire::SyncFrame>) + Send + Sync + 'static) -> Tampering {
    let rows = move |mut group: Vec<wire::SyncFrame>| {
        if header(&mut group).dataset == "cars" {
            change(&mut group);
        }
        group
    };
    Tampering { rows: Some(Arc::new(rows)), ..Default::default() }
}

/// Changes every header of one dataset's groups.
fn headers(change: impl Fn(&mut wire::SyncHeader) + Send + Sync + 'static) -> Tampering {
    rows(move |group| change(header(group)))
}

/// Changes the first columns of one dataset's groups, if there are any.
fn columns(change: impl Fn(&mut wire::SealedRowColumns) + Send + Sync + 'static) -> Tampering {
    rows(move |group| {
        if let Some(columns) = rows_of(group) {
            change(columns);
        }
    })
}

fn header(group: &mut [wire::SyncFrame]) -> &mut wire::SyncHeader {
    match &mut group[0].frame {
        Some(SyncPart::Header(header)) => header,
        _ => panic!("a group begins with its header"),
    }
}

fn rows_of(group: &mut [wire::SyncFrame]) -> Option<&mut wire::SealedRowColumns> {
    group.iter_mut().find_map(|frame| match &mut frame.frame {
        Some(SyncPart::Rows(columns)) => Some(columns),
        _ => None,
    })
}

/// Puts the trailer right: the adapter means what it sends.
fn close(group: &mut [wire::SyncFrame]) {
    let row_size = header(group).row_size as usize;
    let mut check = GroupCheck::default();
    for frame in group.iter_mut() {
        match &mut frame.frame {
            Some(SyncPart::Rows(columns)) => check.rows(columns, row_size).expect("good columns"),
            Some(SyncPart::Trailer(trailer)) => *trailer = check.trailer(),
            _ => {}
        }
    }
}

/// Whatever the gateway asks for, it is sent a snapshot too.
fn and_as_snapshot(tampering: Tampering) -> Tampering {
    let ask = |request| wire::SyncRequest { after: None, ..request };
    Tampering { ask: Some(Arc::new(ask)), ..tampering }
}

/// A column of tags, the last first.
fn turned(tags: &[u8]) -> Vec<u8> {
    tags.as_chunks::<16>().0.iter().rev().flatten().copied().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn columns_that_cannot_be_are_refused() {
    let mut siege = Siege::begin("police").await;
    let lost = || rows(|group| group.retain(|f| !matches!(f.frame, Some(SyncPart::Rows(_)))));
    siege.refuses("cars", lost(), "not what the trailer counts").await;
    let flipped = || columns(|c| c.ciphertexts.iter_mut().take(1).for_each(|byte| *byte ^= 1));
    siege.refuses("cars", flipped(), "not what the trailer counts").await;
    let disorder = || columns(|c| c.tags = turned(&c.tags));
    siege.refuses("cars", disorder(), "out of order or occurs twice").await;
    let twice = || columns(|c| c.tags.copy_within(..16, 16));
    siege.refuses("cars", twice(), "out of order or occurs twice").await;
    let uneven = columns(|c| c.nonces.truncate(12));
    siege.refuses("cars", uneven, "of different lengths").await;
    let large = columns(|c| c.deleted_tags = vec![0; 4 * FRAME_BYTES + 16]);
    siege.refuses("cars", large, "a frame is larger than").await;
    let huge = columns(|c| c.deleted_tags = vec![0; 9 << 20]);
    siege.refuses("cars", huge, "too large").await;
    let endless = rows(|group| group.retain(|f| !matches!(f.frame, Some(SyncPart::Trailer(_)))));
    let headless = Tampering { rows: endless.rows, ..Default::default() };
    siege.tap.tamper(headless);
    siege.another_day();
    siege.another_day();
    siege.recovers("a group without an end").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_of_something_else_are_refused() {
    let mut siege = Siege::begin("police").await;
    let scope = |change: fn(&mut wire::Scope)| {
        headers(move |header| change(header.scope.as_mut().expect("a scope")))
    };
    siege.refuses("cars", scope(|scope| scope.epoch = 2), "epoch 2").await;
    let elsewhere = scope(|scope| scope.programme = "elsewhere".into());
    siege.refuses("cars", elsewhere, "programme elsewhere").await;
    let nowhere = headers(|header| header.scope = None);
    siege.refuses("cars", nowhere, "names no programme, epoch and suite").await;
    let other = headers(|header| header.dataset = "register".into());
    siege.refuses("cars", other, "the group is of police's register").await;
    let stranger = headers(|header| header.agency = "aid".into());
    siege.refuses("cars", stranger, "the group is of aid's cars").await;
    let future = headers(|header| {
        header.as_of.as_mut().expect("a time").seconds += 3600;
    });
    siege.refuses("cars", future, "is in the future: check the adapter's clock").await;
    let wider = headers(|header| header.row_size += 1);
    siege.refuses("cars", wider, "the dataset's description says").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_refused_leaves_the_rows_there_were() {
    let mut siege = Siege::begin("police").await;
    let snapshots = Arc::new(AtomicUsize::new(0));
    let seen = snapshots.clone();
    let lost = rows(move |group| {
        if header(group).transfer() == wire::Transfer::Snapshot {
            seen.fetch_add(1, Ordering::SeqCst);
        }
        if let Some(SyncPart::Trailer(trailer)) = &mut group.last_mut().expect("frames").frame {
            trailer.upserted += 1;
        }
    });
    let before = siege.town.line(&siege.admin, "cars").await.expect("a line");
    let alerts = siege.alerts().await;
    siege.tap.tamper(and_as_snapshot(lost));
    siege.another_day();
    // A second one is sent only after the first was refused.
    let sent = || async { Ok(snapshots.load(Ordering::SeqCst)) };
    siege.town.world.until(sent, |sent| *sent >= 2).await.expect("snapshots are tried");
    let line = siege.problem("cars", "not what the trailer counts").await;
    assert_eq!((line.cursor, line.rows), (before.cursor, before.rows));
    assert_eq!(siege.alerts().await, alerts);
    siege.recovers("a refused snapshot").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_from_elsewhere_is_refused_and_a_snapshot_asked_for() {
    let mut siege = Siege::begin("police").await;
    let gap = rows(|group| match header(group).transfer() {
        wire::Transfer::Delta => {
            header(group).from.as_mut().expect("a delta has one").version += 7;
        }
        // Held back, so that the refusal can be read.
        _ => group.clear(),
    });
    siege.refuses("cars", gap, "the delta begins at").await;
    let foreign = rows(|group| match header(group).transfer() {
        wire::Transfer::Delta => header(group).to.as_mut().expect("a cursor").log[0] ^= 1,
        _ => group.clear(),
    });
    siege.refuses("cars", foreign, "the delta begins at").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_cannot_be_is_refused() {
    let mut siege = Siege::begin("aid").await;
    type Group = Vec<wire::ReleaseFrame>;
    let subjects = |change: fn(&mut Group)| {
        let poor = move |mut group: Group| {
            if matches!(&group[0].frame, Some(ReleasePart::Header(h)) if h.dataset == "poor") {
                change(&mut group);
            }
            group
        };
        Tampering { subjects: Some(Arc::new(poor)), ..Default::default() }
    };
    let lost = subjects(|g| g.retain(|f| !matches!(f.frame, Some(ReleasePart::Subjects(_)))));
    siege.refuses("poor", lost, "not what the trailer counts").await;
    let epoch = subjects(|group| {
        if let Some(ReleasePart::Header(header)) = &mut group[0].frame {
            header.scope.as_mut().expect("a scope").epoch = 9;
        }
    });
    siege.refuses("poor", epoch, "epoch 9").await;
    let flags = subjects(|group| {
        if let Some(ReleasePart::Header(header)) = &mut group[0].frame {
            header.flag_count = 3;
        }
    });
    siege.refuses("poor", flags, "the dataset's description says").await;
}

/// Does something to one person's row of one dataset, and puts the trailer right.
fn row_of(
    siege: &Siege,
    (who, id): (u16, &str),
    change: impl Fn(&mut [u8; 12], &mut [u8]) + Send + Sync + 'static,
) -> Tampering {
    let tag = siege.town.world.deployment.tag_of(&person(who), &dataset(id), today());
    let (tag, id) = (tag.expect("a tag"), id.to_owned());
    let rows = move |mut group: Vec<wire::SyncFrame>| {
        let width = header(&mut group).row_size as usize + 16;
        if header(&mut group).dataset != id {
            return group;
        }
        if let Some(columns) = rows_of(&mut group) {
            let place = proto::group::tags(&columns.tags).position(|other| other == tag);
            if let Some(place) = place {
                let nonce = &mut columns.nonces.as_chunks_mut::<12>().0[place];
                change(nonce, &mut columns.ciphertexts[place * width..][..width]);
            }
        }
        close(&mut group);
        group
    };
    and_as_snapshot(Tampering { rows: Some(Arc::new(rows)), ..Default::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_does_not_open_is_counted_and_its_person_pending() {
    let mut siege = Siege::before("police", Tampering::default()).await;
    // Nothing has arrived yet that was not tampered with, or it is sent again.
    siege.town.world.stop_gateway().await.expect("stopped");
    siege.tap.tamper(row_of(&siege, (3, "cars"), |_, ciphertext| ciphertext[0] ^= 1));
    siege.town.empty_gateway();
    siege.town.world.start_gateway().await.expect("started");
    siege.desk = siege.town.world.desk().await.expect("desk");
    siege.admin = siege.town.world.client(&ADMINISTRATOR).await.expect("admin");
    let mut facts = siege.town.facts(&sources(false));
    let car = facts.listed.get_mut("cars").and_then(|cars| cars.get_mut(&person(3)));
    *car.expect("has a car") = vec![0b11, 0b111];
    siege.town.come_to(&facts, &[]).await.expect("pending, and not dropped");
    let pending = siege.town.live.values().filter(|s| **s == wire::AlertState::Pending).count();
    assert_eq!(pending, 1);
    let line = siege.town.line(&siege.admin, "cars").await.expect("a line");
    // As a subject, and as the member of a household.
    assert_eq!((line.unopenable, line.problem.as_str()), (2, ""));
    siege.tap.tamper(Tampering::default());
    siege.another_day();
    siege.recovers("good rows").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_household_is_counted_and_says_nothing() {
    let mut siege = Siege::before("police", Tampering::default()).await;
    siege.town.world.stop_gateway().await.expect("stopped");
    let (deployment, register) = (&siege.town.world.deployment, dataset("register"));
    let secret = deployment.secret_of(&person(3), &register, today()).expect("a secret");
    let sealer = RowSealer::new(&deployment.manifest.scope, &register);
    // The owner itself seals it, so that it opens: more members than a row has room for.
    let forge = move |nonce: &mut [u8; 12], ciphertext: &mut [u8]| {
        let mut plain = vec![1, 200, 0];
        plain.resize(ciphertext.len() - 16, 0);
        *nonce = RowNonce::new(1, [7; 8]).0;
        sealer.seal(&secret.seal_key(), secret.lookup_tag(), RowNonce(*nonce), &mut plain);
        ciphertext.copy_from_slice(&plain);
    };
    siege.tap.tamper(row_of(&siege, (3, "register"), forge));
    siege.town.empty_gateway();
    siege.town.world.start_gateway().await.expect("started");
    siege.desk = siege.town.world.desk().await.expect("desk");
    siege.admin = siege.town.world.client(&ADMINISTRATOR).await.expect("admin");
    let mut facts = siege.town.facts(&sources(false));
    facts.households.remove(&person(3));
    let row = facts.listed.get_mut("register").and_then(|rows| rows.get_mut(&person(3)));
    *row.expect("is registered") = vec![0b1111];
    siege.town.come_to(&facts, &[]).await.expect("pending, and not dropped");
    let pending = siege.town.live.values().filter(|s| **s == wire::AlertState::Pending).count();
    assert_eq!(pending, 1);
    let line = siege.town.line(&siege.admin, "register").await.expect("a line");
    assert_eq!((line.unopenable, line.problem.as_str()), (1, ""));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_lost_versions_is_refused_until_it_begins_a_new_log() {
    let mut siege = Siege::begin("police").await;
    let police = agency("police");
    let store = siege.town.world.deployment.dir.join("police/state/versions-1.redb");
    let copy = store.with_extension("copy");
    siege.town.world.stop_adapter(&police).await.expect("stopped");
    std::fs::copy(&store, &copy).expect("copied");
    siege.town.world.start_adapter(&police).await.expect("started");
    for _ in 0..2 {
        siege.another_day();
        siege.town.world.arrived(&["poor", "ill", "help"]).await.expect("arrived");
    }
    siege.recovers("two versions on").await;
    let alerts = siege.alerts().await;
    let before = siege.town.line(&siege.admin, "cars").await.expect("a line");

    siege.town.world.stop_adapter(&police).await.expect("stopped");
    std::fs::copy(&copy, &store).expect("restored");
    siege.town.world.start_adapter(&police).await.expect("started");
    let line = siege.problem("cars", "CURSOR_FROM_THE_FUTURE").await;
    assert!(line.problem.contains("delete versions-*.redb"), "{}", line.problem);
    assert_eq!((line.cursor, line.rows), (before.cursor, before.rows));
    assert_eq!(siege.alerts().await, alerts);

    siege.town.world.stop_adapter(&police).await.expect("stopped");
    std::fs::remove_file(&store).expect("as told");
    siege.town.world.start_adapter(&police).await.expect("started");
    siege.recovers("a new log").await;

    // A copy that is put in the store's place is noticed, and nobody needs to be told.
    siege.town.world.stop_adapter(&police).await.expect("stopped");
    std::fs::rename(&copy, &store).expect("restored");
    siege.town.world.start_adapter(&police).await.expect("started");
    siege.recovers("another new log").await;
}
