//! What a stub has received, and a way to wait for more of it.

use std::time::Duration;

use anyhow::Context;
use tokio::sync::watch;

/// How long anything awaited may take on a slow machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Everything received, in order. Clones are the same one.
#[derive(Debug, Clone)]
pub struct Inbox<T>(watch::Sender<Vec<T>>);

impl<T: Clone> Inbox<T> {
    /// An empty one.
    pub(super) fn new() -> Self {
        Self(watch::channel(vec![]).0)
    }

    pub(super) fn put(&self, item: T) {
        self.0.send_modify(|all| all.push(item));
    }

    /// All of it so far.
    pub fn all(&self) -> Vec<T> {
        self.0.borrow().clone()
    }

    /// All of it, once there are at least `count`.
    ///
    /// # Errors
    /// Where patience ends before.
    pub async fn at_least(&self, count: usize) -> anyhow::Result<Vec<T>> {
        let mut seen = self.0.subscribe();
        let waiting = seen.wait_for(|all| all.len() >= count);
        let there = tokio::time::timeout(PATIENCE, waiting).await;
        let there = there.with_context(|| format!("{count} did not come"))?;
        Ok(there.context("the stub is there")?.clone())
    }
}
