//! Which agencies' adapters are connected, each with a client of one of its services.
//!
//! Connections are `link`'s: it says when one begins, and dropping what it is given says that it ended.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use proto::name::AgencyId;
use tokio::sync::watch;

/// Clients by agency.
pub struct Connections<C> {
    /// The last of an agency's connections is used.
    clients: Mutex<BTreeMap<AgencyId, Vec<(u64, C)>>>,
    numbers: AtomicU64,
    arrived: watch::Sender<()>,
}

/// An agency that can be asked; no longer, once this is dropped.
pub struct Connected<C> {
    connections: Arc<Connections<C>>,
    agency: AgencyId,
    number: u64,
}

impl<C> Default for Connections<C> {
    fn default() -> Self {
        Self {
            clients: Mutex::default(),
            numbers: AtomicU64::new(0),
            arrived: watch::Sender::new(()),
        }
    }
}

impl<C: Clone> Connections<C> {
    /// Notes that an agency's adapter is connected.
    pub fn connect(self: &Arc<Self>, agency: &AgencyId, client: C) -> Connected<C> {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        self.lock().entry(agency.clone()).or_default().push((number, client));
        self.arrived.send_replace(());
        Connected { connections: self.clone(), agency: agency.clone(), number }
    }

    /// The client of an agency that is connected.
    pub fn get(&self, agency: &AgencyId) -> Option<C> {
        self.lock().get(agency)?.last().map(|(_, client)| client.clone())
    }

    /// The same, once it is.
    pub async fn wait(&self, agency: &AgencyId) -> C {
        let mut arrived = self.arrived.subscribe();
        loop {
            arrived.mark_unchanged();
            if let Some(client) = self.get(agency) {
                return client;
            }
            arrived.changed().await.expect("the sender is ours");
        }
    }
}

impl<C> Connections<C> {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgencyId, Vec<(u64, C)>>> {
        self.clients.lock().expect("nobody panics while holding the connections")
    }
}

impl<C> Drop for Connected<C> {
    fn drop(&mut self) {
        if let Some(clients) = self.connections.lock().get_mut(&self.agency) {
            clients.retain(|(number, _)| *number != self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_connection_is_used_and_who_waits_gets_the_next() {
        let connections = Arc::new(Connections::default());
        let tax: AgencyId = "tax".parse().expect("a name");
        let first = connections.connect(&tax, 1);
        let second = connections.connect(&tax, 2);
        assert_eq!(connections.get(&tax), Some(2));
        drop(second);
        assert_eq!(connections.wait(&tax).await, 1);
        drop(first);
        assert_eq!(connections.get(&tax), None);
        let waiting = tokio::spawn({
            let (connections, tax) = (connections.clone(), tax.clone());
            async move { connections.wait(&tax).await }
        });
        tokio::task::yield_now().await;
        let _third = connections.connect(&tax, 3);
        assert_eq!(waiting.await.expect("it waits"), 3);
    }
}
