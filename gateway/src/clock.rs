//! The one file that reads the clock, and the one place where tests turn it by hand.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

/// How long a wait trusts that the clock was not set.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The time now.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Manual(watch::Receiver<Timestamp>),
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows what the sender was last given.
    pub fn manual(start: Timestamp) -> (watch::Sender<Timestamp>, Self) {
        let (sender, receiver) = watch::channel(start);
        (sender, Self(Source::Manual(receiver)))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(shown) => *shown.borrow(),
        }
    }

    /// Returns once the clock shows `at` or later; never where there is no such time.
    pub async fn reach(&self, at: Option<Timestamp>) {
        let Some(at) = at else { return std::future::pending().await };
        match &self.0 {
            Source::System => loop {
                // The machine's clock can be set, and its sleep counts otherwise.
                let wait = Duration::try_from(at.duration_since(Timestamp::now()));
                match wait {
                    Ok(wait) if !wait.is_zero() => tokio::time::sleep(wait.min(LOOK_AGAIN)).await,
                    _ => return,
                }
            },
            Source::Manual(shown) => {
                // A dropped sender means that the time never comes.
                if shown.clone().wait_for(|now| *now >= at).await.is_err() {
                    std::future::pending().await
                }
            }
        }
    }
}

/// `at` plus a whole number of seconds' duration; the end of time where it would lie beyond.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}
