//! An access log for tests of what must be logged.

use std::{path::Path, sync::Arc};

use gateway::{
    alert::Alert,
    alert_acts::Run,
    audit::{
        log::AccessLog,
        logged::{Logged, Unlogged},
        recorder::Recorder,
        witnesses::Witnesses,
    },
    clock::Clock,
};
use proto::{
    act::Act,
    entry::{Actor, Entry},
    quorum,
    signing::SigningKey,
};
use zeroize::Zeroizing;

use crate::fixture::scope;

/// Opens the log below a directory.
pub fn recorder(directory: &Path) -> Recorder {
    let origin = quorum::origin(&scope().programme);
    let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
    let log = AccessLog::open(directory, origin.clone(), key, Clock::system()).expect("opens");
    Recorder::new(log, origin, Arc::new(Witnesses::new(directory, None, Arc::default())))
}

/// A run of the rules that changes these alerts, logged.
pub async fn run(recorder: &Recorder, changed: &[Alert]) -> Logged<Run> {
    let changed = changed.to_vec();
    let run = Run { policy: [0; 32], epoch: 1, subjects: 9, changed };
    recorder.open(&Actor::Gateway, Unlogged::seal(run)).await.expect("logged")
}

/// Everything that the log says so far.
pub async fn acts(recorder: &Recorder) -> Vec<Act> {
    let log = recorder.log();
    let entries = log.entries(0..log.size()).await.expect("read");
    let act = |bytes: &Vec<u8>| Entry::parse(bytes).expect("an entry").act().clone();
    entries.iter().map(act).collect()
}
