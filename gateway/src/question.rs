//! A question to the base: something that is counted in it, between two runs of the rules, by the task that
//! owns it. What is counted is the asker's business.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use crate::{base::Base, refusal::Refusal};

const ANSWER_WITHIN: Duration = Duration::from_secs(10);

type Count = Box<dyn FnOnce(&Base, Timestamp) + Send>;

/// What is to be counted.
pub struct Question {
    generation: u64,
    count: Count,
}

impl Question {
    /// The catalogue's generation that what it speaks of was checked against. Of another one's base it must
    /// not be asked.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Counts, and gives the answer to who asked.
    pub fn put(self, base: &Base, now: Timestamp) {
        (self.count)(base, now);
    }
}

/// Asks, and waits for the answer.
///
/// # Errors
/// [`Refusal::Busy`], where none comes in time, or the catalogue has changed.
pub async fn ask<T: Send + 'static>(
    questions: &mpsc::Sender<Question>,
    generation: u64,
    count: impl FnOnce(&Base, Timestamp) -> T + Send + 'static,
) -> Result<T, Refusal> {
    let (sender, answer) = oneshot::channel();
    let count: Count = Box::new(move |base, now| {
        // Whoever asked may have gone away.
        let _ = sender.send(count(base, now));
    });
    let busy = || Refusal::Busy("the gateway is busy or its catalogue changed: try again");
    questions.send(Question { generation, count }).await.map_err(|_| busy())?;
    let answer = tokio::time::timeout(ANSWER_WITHIN, answer).await;
    answer.ok().and_then(Result::ok).ok_or_else(busy)
}
