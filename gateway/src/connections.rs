//! The adapters that are connected, for whoever has something to bring to one of them.
//!
//! Dialling and the end of a connection are `link`'s business.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use proto::name::AgencyId;
use tokio::sync::Notify;
use tonic::transport::Channel;

/// The connections of all agencies.
#[derive(Default)]
pub struct Connections {
    /// The last of an agency's connections is used.
    channels: Mutex<BTreeMap<AgencyId, Vec<(u64, Channel)>>>,
    made: AtomicU64,
    arrived: Notify,
}

/// A connection that can be used; no longer, once this is dropped.
pub struct Connection {
    connections: Arc<Connections>,
    agency: AgencyId,
    number: u64,
}

impl Connections {
    /// Notes that an agency's adapter is connected.
    pub fn connect(self: &Arc<Self>, agency: &AgencyId, channel: Channel) -> Connection {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        self.lock().entry(agency.clone()).or_default().push((number, channel));
        self.arrived.notify_waiters();
        Connection { connections: self.clone(), agency: agency.clone(), number }
    }

    /// The way to an agency's adapter, if it is connected.
    pub fn channel(&self, agency: &AgencyId) -> Option<Channel> {
        self.lock().get(agency)?.last().map(|(_, channel)| channel.clone())
    }

    /// The same, once it is.
    pub async fn wait(&self, agency: &AgencyId) -> Channel {
        loop {
            // Listening before looking: nobody arrives in between unnoticed.
            let mut arrival = std::pin::pin!(self.arrived.notified());
            arrival.as_mut().enable();
            if let Some(channel) = self.channel(agency) {
                return channel;
            }
            arrival.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AgencyId, Vec<(u64, Channel)>>> {
        self.channels.lock().expect("nobody panics while holding the connections")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(channels) = self.connections.lock().get_mut(&self.agency) {
            channels.retain(|(number, _)| *number != self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_connection_is_used_until_it_ends() {
        let agency: AgencyId = "hotline".parse().expect("a name");
        let connections = Arc::new(Connections::default());
        let channel = || Channel::from_static("http://[::1]:1").connect_lazy();
        assert!(connections.channel(&agency).is_none());
        let first = connections.connect(&agency, channel());
        let second = connections.connect(&agency, channel());
        drop(second);
        assert!(connections.channel(&agency).is_some(), "the first is still there");
        drop(first);
        assert!(connections.channel(&agency).is_none());
        let waiting = tokio::spawn({
            let (connections, agency) = (connections.clone(), agency.clone());
            async move { drop(connections.wait(&agency).await) }
        });
        tokio::task::yield_now().await;
        let _third = connections.connect(&agency, channel());
        waiting.await.expect("who waits gets the next");
    }
}
