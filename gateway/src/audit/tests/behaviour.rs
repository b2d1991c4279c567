//! What callers of the log see while nothing fails.

use proto::{
    merkle::TreeHead,
    tile::{Tile, TileKind},
};

use super::{super::log::ReadError, *};
use crate::audit::{log::AccessLog, tile_files::TileFiles};

fn open(data_dir: &Path) -> AccessLog {
    AccessLog::open(data_dir, origin(), key(), Clock::system()).expect("the log opens")
}

#[tokio::test]
async fn what_is_appended_is_read_proved_and_found_again_after_a_start() {
    let dir = tempfile::tempdir().expect("directory");
    let log = open(dir.path());
    assert_eq!(log.checkpoint().head(), TreeHead::empty());
    let first = log.append(vec![entry(0), entry(1)]).await.expect("durable");
    assert_eq!(first, 0..2);
    let many = (2..1000).map(entry).collect::<Vec<_>>();
    assert_eq!(log.append(many).await.expect("durable"), 2..1000);
    assert_eq!(log.entry(1).await.expect("read"), entry(1));
    log.close().await;
    assert_eq!(log.append(vec![entry(9)]).await, Err(AppendError::Closed));

    let log = open(dir.path());
    assert_eq!(log.size(), 1000);
    let head = log.checkpoint().head();
    assert_eq!(head.size, 1000);
    let read = log.entries(0..2000).await.expect("read");
    assert_eq!(read, (0..1000).map(entry).collect::<Vec<_>>());
    for (index, size) in [(0, 1000), (999, 1000), (300, 1000), (300, 301), (5, 257)] {
        let root = log.tree(size).expect("there").root(size).expect("read");
        let path = log.inclusion(index, size).await.expect("proved");
        let verified = TreeHead { size, root }.verify_inclusion(&entry(index), index, &path);
        assert_eq!(verified, Ok(()), "{index} in {size}");
        let proof = log.consistency(size, 1000).await.expect("proved");
        assert_eq!(head.verify_consistency(&TreeHead { size, root }, &proof), Ok(()));
    }
    let beyond = [
        log.inclusion(3, 1001).await.err(),
        log.inclusion(1000, 1000).await.err(),
        log.consistency(5, 1001).await.err(),
        log.consistency(5, 4).await.err(),
        log.entry(1000).await.err().map(|_| ReadError::Beyond { size: 1000 }),
    ];
    for error in beyond {
        assert!(matches!(error, Some(ReadError::Beyond { .. })), "{error:?}");
    }
    let tiles = TileFiles::in_directory(dir.path().join("log"));
    let entries = verify(&tiles, &log.checkpoint(), None).expect("whole");
    assert_eq!(entries.len(), 1000);
    log.close().await;
}

#[tokio::test]
async fn a_tile_is_served_in_every_width_that_a_checkpoint_could_have_had() {
    let dir = tempfile::tempdir().expect("directory");
    let log = open(dir.path());
    log.append((0..300).map(entry).collect()).await.expect("durable");
    log.close().await;
    let tile = |kind, number, width| log.tile(Tile { kind, number, width });
    let full = tile(TileKind::Hashes(0), 0, 256).await.expect("there");
    let partial = tile(TileKind::Hashes(0), 0, 7).await.expect("cut from the full one");
    assert_eq!(partial, full[..7 * 32]);
    let bundle = tile(TileKind::Entries, 0, 2).await.expect("cut from the full one");
    assert_eq!(bundle, b"\0\x07entry 0\0\x07entry 1");
    assert!(tile(TileKind::Entries, 1, 44).await.is_ok());
    assert!(matches!(tile(TileKind::Entries, 1, 45).await, Err(ReadError::Beyond { size: 300 })));
    assert!(matches!(tile(TileKind::Entries, 2, 1).await, Err(ReadError::Beyond { size: 300 })));
}

#[tokio::test]
async fn an_entry_that_is_too_long_is_refused_alone() {
    let dir = tempfile::tempdir().expect("directory");
    let log = open(dir.path());
    let long = log.append(vec![entry(0), vec![0; 65_536]]);
    let good = log.append(vec![vec![0; 65_535]]);
    let (long, good) = futures::join!(long, good);
    assert_eq!((long, good), (Err(AppendError::TooLong), Ok(0..1)));
    log.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_callers_get_consecutive_indices_and_find_their_own_entries_there() {
    let dir = tempfile::tempdir().expect("directory");
    let log = open(dir.path());
    let callers = (0..50_u64).map(|caller| {
        let log = log.clone();
        tokio::spawn(async move {
            for turn in 0..10 {
                let own = vec![entry(caller * 1000 + turn), entry(caller * 1000 + turn)];
                let range = log.append(own.clone()).await.expect("durable");
                assert_eq!(log.entries(range).await.expect("read"), own);
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.expect("no caller panics");
    }
    assert_eq!(log.size(), 1000);
    log.close().await;
    assert_eq!(log.checkpoint().size(), 1000);
}

#[tokio::test]
async fn a_checkpoint_follows_an_entry_without_being_asked_for() {
    let dir = tempfile::tempdir().expect("directory");
    let log = open(dir.path());
    let mut checkpoints = log.checkpoints();
    for round in 1..=2 {
        log.append(vec![entry(round)]).await.expect("durable");
        let sealed = checkpoints.wait_for(|checkpoint| checkpoint.size() == round).await;
        let bytes = sealed.expect("the log is open").to_string();
        let published = std::fs::read_to_string(dir.path().join("log/checkpoint")).expect("there");
        assert_eq!(published, bytes);
        assert!(Checkpoint::open(&published, &log_key()).is_ok());
    }
    log.close().await;
}
