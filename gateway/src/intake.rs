//! How much may be on its way into an epoch's base at once, and in which order agencies get there.
//!
//! What arrives waits in a short queue that is served in order of arrival. An agency has one place at
//! its end, however many datasets it changes and however often, so that of two agencies neither waits
//! for more than one arrival of the other's. A group that is large is taken in only while no other is:
//! the rest are not read on meanwhile, and the connection's own flow control holds their agencies back.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use proto::name::AgencyId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

/// A group of more bytes than this is large.
pub const LARGE: usize = 4 << 20;
/// A wait that lasts longer than this is told in the log.
const LONG: Duration = Duration::from_secs(1);

/// What an agency waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// Its own arrival before, or those of others in the queue.
    Turn,
    /// A large group that is taken in.
    Room,
}

/// What all agencies share.
pub struct Intake {
    room: Arc<Semaphore>,
    waits: Mutex<BTreeMap<(AgencyId, Limit), u64>>,
}

/// One agency's way in.
pub struct Door {
    agency: AgencyId,
    turn: Semaphore,
    room: Semaphore,
    intake: Arc<Intake>,
}

/// What one group has in memory, and the room that it has for it; given back when it is dropped.
#[derive(Debug, Default)]
pub struct Share {
    bytes: usize,
    room: Option<OwnedSemaphorePermit>,
}

impl Default for Intake {
    fn default() -> Self {
        Self { room: Arc::new(Semaphore::new(1)), waits: Mutex::default() }
    }
}

impl Intake {
    /// How often each agency waited for what, since the start.
    pub fn waits(&self) -> BTreeMap<(AgencyId, Limit), u64> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(AgencyId, Limit), u64>> {
        self.waits.lock().expect("nobody panics while counting")
    }
}

impl Limit {
    /// What it is called where numbers are read.
    pub fn word(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Room => "room",
        }
    }
}

impl Door {
    /// An agency's way into an epoch's base.
    pub fn new(agency: AgencyId, intake: Arc<Intake>) -> Self {
        Self { agency, turn: Semaphore::new(1), room: Semaphore::new(1), intake }
    }

    /// Waits until nothing else of this agency is about to be queued. Held until this is.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        match self.turn.try_acquire() {
            Ok(turn) => turn,
            Err(_) => self.waited(Limit::Turn, self.turn.acquire()).await,
        }
    }

    /// A group has more bytes in memory; waits for room where it is large by that. Agencies get room in
    /// turn.
    pub async fn admit(&self, share: &mut Share, bytes: usize) {
        share.bytes += bytes;
        if share.bytes <= LARGE || share.room.is_some() {
            return;
        }
        if let Ok(room) = self.intake.room.clone().try_acquire_owned() {
            share.room = Some(room);
            return;
        }
        let next = async {
            let _next = self.room.acquire().await;
            self.intake.room.clone().acquire_owned().await
        };
        share.room = Some(self.waited(Limit::Room, next).await);
    }

    async fn waited<T>(
        &self,
        limit: Limit,
        wait: impl Future<Output = Result<T, tokio::sync::AcquireError>>,
    ) -> T {
        *self.intake.lock().entry((self.agency.clone(), limit)).or_default() += 1;
        let began = Instant::now();
        let got = wait.await.expect("the semaphores are never closed");
        let waited = began.elapsed();
        if waited > LONG {
            let (agency, limit) = (&self.agency, limit.word());
            tracing::warn!(%agency, limit, ?waited, "an agency's data waited to be taken in");
        }
        got
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use tokio::sync::mpsc;

    use super::*;

    fn door(agency: &str, intake: &Arc<Intake>) -> Arc<Door> {
        Arc::new(Door::new(agency.parse().expect("a name"), intake.clone()))
    }

    #[tokio::test]
    async fn an_agency_that_floods_takes_one_place_in_the_queue() {
        let intake = Arc::new(Intake::default());
        let (flooding, other) = (door("tax", &intake), door("aid", &intake));
        let (queue, mut queued) = mpsc::channel(1);
        for dataset in 0..20 {
            let (door, queue) = (flooding.clone(), queue.clone());
            tokio::spawn(async move {
                loop {
                    let _turn = door.turn().await;
                    if queue.send(("tax", dataset)).await.is_err() {
                        return;
                    }
                }
            });
        }
        // Everybody is waiting by now.
        assert_eq!(queued.recv().await.map(|it| it.0), Some("tax"));
        for _ in 0..3 {
            let (door, queue) = (other.clone(), queue.clone());
            let sent = tokio::spawn(async move {
                let _turn = door.turn().await;
                queue.send(("aid", 0)).await
            });
            tokio::task::yield_now().await;
            let mut before = 0;
            while queued.recv().await.map(|it| it.0) == Some("tax") {
                before += 1;
            }
            assert!(before <= 3, "{before} arrivals of the other came first");
            sent.await.expect("no panic").expect("queued");
        }
        let waits = intake.waits();
        assert!(waits[&("tax".parse().expect("a name"), Limit::Turn)] >= 19, "{waits:?}");
    }

    #[tokio::test]
    async fn large_groups_come_one_at_a_time_and_agencies_in_turn() {
        let intake = Arc::new(Intake::default());
        let (tax, aid) = (door("tax", &intake), door("aid", &intake));
        let (order, mut came) = mpsc::unbounded_channel();
        let large = async |door: &Door| {
            let mut share = Share::default();
            door.admit(&mut share, LARGE + 1).await;
            share
        };
        let first = large(&tax).await;
        aid.admit(&mut Share::default(), LARGE).await;
        for (name, door) in [("tax", &tax), ("tax", &tax), ("tax", &tax), ("aid", &aid)] {
            let (door, order) = (door.clone(), order.clone());
            tokio::spawn(async move {
                let mut share = Share::default();
                door.admit(&mut share, LARGE).await;
                door.admit(&mut share, 1).await;
                order.send(name).expect("heard");
            });
        }
        tokio::task::yield_now().await;
        assert!(came.try_recv().is_err(), "somebody came in while there was no room");
        drop(first);
        let mut names = vec![];
        for _ in 0..4 {
            names.push(came.recv().await.expect("all come in"));
        }
        assert_eq!(names[..2], ["tax", "aid"], "the agency of three waits behind the other");
        let waits = intake.waits();
        assert_eq!(waits[&("aid".parse().expect("a name"), Limit::Room)], 1);
    }

    /// Lines of a log.
    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panics").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_long_wait_is_told_in_the_log_and_whose_it_was_and_what_for() {
        let (lines, intake) = (Lines::default(), Arc::new(Intake::default()));
        let log = lines.clone();
        let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || log.clone());
        let _logging = tracing::subscriber::set_default(log.finish());
        let (tax, aid) = (door("tax", &intake), door("aid", &intake));
        let mut first = Share::default();
        aid.admit(&mut first, LARGE + 1).await;
        let turn = tax.turn().await;
        let release = async {
            tokio::time::sleep(LONG).await;
            drop((turn, first));
        };
        let mut share = Share::default();
        let wait = async { drop(tax.turn().await) };
        tokio::join!(wait, tax.admit(&mut share, LARGE + 1), release);
        let told = String::from_utf8(lines.0.lock().expect("no panics").clone()).expect("text");
        let told: Vec<&str> = told.lines().collect();
        assert_eq!(told.len(), 2, "{told:?}");
        for limit in [Limit::Turn, Limit::Room] {
            let said = format!("agency=tax limit=\"{}\"", limit.word());
            let line = told.iter().find(|line| line.contains(&said));
            let line = line.unwrap_or_else(|| panic!("{said} in {told:?}"));
            assert!(line.contains("WARN") && line.contains("waited to be taken in"), "{line}");
        }
    }
}
