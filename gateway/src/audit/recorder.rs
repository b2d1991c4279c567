//! Who writes entries: an act is in the log, durably, before it happens; or it does not happen.
//!
//! Owns that order and what is said when the log could not be written. The log itself is `log`'s.

use std::{
    ops::Range,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use jiff::Timestamp;
use proto::{
    act::Act,
    checkpoint::Checkpoint,
    entry::{Actor, Entry},
    note::KeyName,
    wire,
};

use super::{
    log::{AccessLog, AppendError, Draft},
    logged::{Logged, Told, Unlogged},
    witnesses::Witnesses,
};

/// How often a log that could not be written is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// Writes entries. Clones write to the same log.
#[derive(Clone)]
pub struct Recorder {
    log: AccessLog,
    origin: KeyName,
    witnesses: Arc<Witnesses>,
    /// Acts that did not happen since the log could last be written.
    unrecorded: Arc<AtomicU64>,
    /// The same since the start.
    failures: Arc<AtomicU64>,
}

/// The entry could not be made durable: the act must not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub struct Unrecorded(#[from] AppendError);

/// An entry that waits for its time.
struct Line {
    by: Actor,
    act: Act,
}

impl Draft for Line {
    fn stamped(self: Box<Self>, at: Timestamp) -> Vec<u8> {
        Entry::new(at, self.by, self.act).to_bytes()
    }
}

impl Recorder {
    /// Writes to this log, which has these witnesses.
    pub fn new(log: AccessLog, origin: KeyName, witnesses: Arc<Witnesses>) -> Self {
        Self { log, origin, witnesses, unrecorded: Arc::default(), failures: Arc::default() }
    }

    /// The log's witnesses.
    pub fn witnesses(&self) -> &Arc<Witnesses> {
        &self.witnesses
    }

    /// The checkpoint that is shown: the last that the quorum cosigned, while it keeps up with the log.
    pub fn checkpoint(&self) -> Arc<Checkpoint> {
        match self.witnesses.cosigned().filter(|_| self.witnesses.is_well()) {
            Some(cosigned) => Arc::new(cosigned.checkpoint().clone()),
            None => self.log.checkpoint(),
        }
    }

    /// The checkpoint that an entry is proven by: a cosigned one, where the entry is in one.
    pub fn checkpoint_over(&self, index: u64) -> Arc<Checkpoint> {
        match self.witnesses.cosigned().filter(|cosigned| index < cosigned.size()) {
            Some(cosigned) => Arc::new(cosigned.checkpoint().clone()),
            None => self.log.checkpoint(),
        }
    }

    /// How many entries could not be written since the start.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The log, to read it.
    pub fn log(&self) -> &AccessLog {
        &self.log
    }

    /// Writes down an act that is about to happen, or what came of one.
    ///
    /// # Errors
    /// [`Unrecorded`]; then the act must not happen.
    pub async fn record(&self, by: &Actor, act: Act) -> Result<u64, Unrecorded> {
        Ok(self.append(by, vec![act]).await?.start)
    }

    /// Opens what may be shown or done once it is logged.
    ///
    /// # Errors
    /// [`Unrecorded`]; then it stays closed for ever.
    pub async fn open<T: Told>(
        &self,
        by: &Actor,
        sealed: Unlogged<T>,
    ) -> Result<Logged<T>, Unrecorded> {
        let entries = self.append(by, sealed.acts()).await?;
        Ok(sealed.logged(entries))
    }

    /// Writes down that acts that were logged did not come about after all. Where that fails, too,
    /// nothing more can be done: a later entry says that the log was not written for a time.
    pub async fn failed(&self, entries: Range<u64>) {
        let act = Act::Failed { first: entries.start, end: entries.end };
        if let Err(error) = self.record(&Actor::Gateway, act).await {
            tracing::error!(%error, "a failed act is not logged as failed");
        }
    }

    /// What an answer says of its own entry.
    pub fn place(&self, index: u64) -> wire::LogPlace {
        wire::LogPlace { origin: self.origin.to_string(), index }
    }

    /// Whether the log took its last entry, and checkpoints follow.
    pub fn is_well(&self) -> bool {
        self.unrecorded.load(Ordering::Relaxed) == 0 && self.log.trouble().is_none()
    }

    /// Tries again for as long as the log cannot be written, and then says in it how many acts did
    /// not happen for want of it. Never returns.
    pub async fn resume(&self) {
        loop {
            tokio::time::sleep(TRY_AGAIN).await;
            let acts = self.unrecorded.load(Ordering::Relaxed);
            if acts > 0 && self.write(&Actor::Gateway, vec![Act::LogResumed { acts }]).await.is_ok()
            {
                self.unrecorded.fetch_sub(acts, Ordering::Relaxed);
            }
        }
    }

    /// The same for what is not about to happen: a count of what came to pass.
    ///
    /// # Errors
    /// [`Unrecorded`]; it is to be tried again.
    pub(super) async fn note(&self, by: &Actor, act: Act) -> Result<(), Unrecorded> {
        self.write(by, vec![act]).await?;
        Ok(())
    }

    async fn append(&self, by: &Actor, acts: Vec<Act>) -> Result<Range<u64>, Unrecorded> {
        let count = acts.len() as u64;
        let written = self.write(by, acts).await;
        if let Err(error) = &written {
            self.failures.fetch_add(count, Ordering::Relaxed);
            if self.unrecorded.fetch_add(count, Ordering::Relaxed) == 0 {
                tracing::error!(%error, "nothing that must be logged happens until the log is written again");
            }
        }
        Ok(written?)
    }

    async fn write(&self, by: &Actor, acts: Vec<Act>) -> Result<Range<u64>, AppendError> {
        let lines = acts.into_iter().map(|act| Line { by: by.clone(), act });
        self.log.append(lines.collect()).await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::path::Path;

    use proto::{quorum, signing::SigningKey};
    use zeroize::Zeroizing;

    use super::*;
    use crate::clock::Clock;

    /// Writes to a log below a directory.
    pub(crate) fn recorder(directory: &Path) -> Recorder {
        let origin = quorum::origin(&"demo".parse().expect("a name"));
        let key = SigningKey::from_seed(&Zeroizing::new([7; 32]));
        let log = AccessLog::open(directory, origin.clone(), key, Clock::system()).expect("opens");
        Recorder::new(log, origin, Arc::new(Witnesses::new(directory, None, Arc::default())))
    }

    #[tokio::test]
    async fn a_recorder_that_cannot_write_says_so_and_opens_nothing() {
        struct Page;
        impl Told for Page {
            fn acts(&self) -> Vec<Act> {
                vec![Act::AlertsListed { alerts: vec![] }]
            }
        }
        let directory = tempfile::tempdir().expect("a directory");
        let recorder = recorder(directory.path());
        let by = Actor::Officer("li".parse().expect("a name"));
        let shown = recorder.open(&by, Unlogged::seal(Page)).await.expect("logged");
        assert_eq!(shown.index(), 0);
        let entry = Entry::parse(&recorder.log().entry(0).await.expect("read")).expect("an entry");
        assert_eq!((entry.by(), entry.act()), (&by, &Act::AlertsListed { alerts: vec![] }));
        assert!(recorder.is_well());
        recorder.log().close().await;
        assert!(recorder.open(&by, Unlogged::seal(Page)).await.is_err());
        assert!(!recorder.is_well());
    }
}
