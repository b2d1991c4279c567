//! What a requester remembers of each key holder: whether it may be asked now, and what went wrong with
//! it last.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::name::AgencyId;
use tokio::time::Instant;

/// Waits double from failure to failure.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What is remembered of all holders. Nobody is blamed at first.
#[derive(Default)]
pub struct Standings(Mutex<BTreeMap<AgencyId, Failures>>);

struct Failures {
    in_a_row: u32,
    until: Instant,
    problem: String,
}

impl Standings {
    /// It answered well.
    pub fn clear(&self, holder: &AgencyId) {
        if self.lock().remove(holder).is_some() {
            tracing::info!(%holder, "the key holder answers again");
        }
    }

    /// It failed: it is not asked for a while, each time longer. Batches that were under way together
    /// count as one failure.
    pub fn blame(&self, holder: &AgencyId, problem: String) {
        let now = Instant::now();
        let mut standings = self.lock();
        let failures = standings.entry(holder.clone()).or_insert_with(|| Failures {
            in_a_row: 0,
            until: now,
            problem: String::new(),
        });
        if failures.problem != problem {
            tracing::warn!(%holder, problem, "the key holder does not help");
        }
        failures.problem = problem;
        if failures.until <= now {
            let wait = FIRST_WAIT.saturating_mul(1 << failures.in_a_row.min(16));
            failures.until = now + wait.min(LONGEST_WAIT);
            failures.in_a_row += 1;
        }
    }

    /// Whether it may be asked now.
    pub fn may_ask(&self, holder: &AgencyId) -> bool {
        self.lock().get(holder).is_none_or(|failures| failures.until <= Instant::now())
    }

    /// When the next of those that may not be asked now can be.
    pub fn next_chance(&self) -> Instant {
        let now = Instant::now();
        let waits =
            self.lock().values().map(|failures| failures.until).filter(|until| *until > now).min();
        waits.unwrap_or(now + FIRST_WAIT)
    }

    /// Every holder that failed last, and why.
    pub fn problems(&self) -> BTreeMap<AgencyId, String> {
        let standings = self.lock();
        standings
            .iter()
            .map(|(holder, failures)| (holder.clone(), failures.problem.clone()))
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgencyId, Failures>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
