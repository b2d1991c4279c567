//! The adapters that are connected, for whoever has something to bring to one of them.
//!
//! Dialling and the end of a connection are `link`'s business.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use proto::name::AgencyId;
use tokio::sync::watch;
use tonic::transport::Channel;

/// The connections of all agencies.
#[derive(Default)]
pub struct Connections {
    /// The last of an agency's connections is used.
    channels: Mutex<BTreeMap<AgencyId, Vec<(u64, Channel)>>>,
    /// How many there ever were.
    made: watch::Sender<u64>,
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
        let mut channels = self.lock();
        let number = *self.made.borrow();
        channels.entry(agency.clone()).or_default().push((number, channel));
        self.made.send_replace(number + 1);
        drop(channels);
        Connection { connections: self.clone(), agency: agency.clone(), number }
    }

    /// The way to an agency's adapter, if it is connected.
    pub fn channel(&self, agency: &AgencyId) -> Option<Channel> {
        self.lock().get(agency)?.last().map(|(_, channel)| channel.clone())
    }

    /// The same, once it is.
    pub async fn wait(&self, agency: &AgencyId) -> Channel {
        let mut arrivals = self.arrivals();
        loop {
            if let Some(channel) = self.channel(agency) {
                return channel;
            }
            // The sender is ours, and stays.
            let _ = arrivals.changed().await;
        }
    }

    /// The way to every agency's adapter that is connected.
    pub fn all(&self) -> Vec<(AgencyId, Channel)> {
        let last = |(agency, all): (&AgencyId, &Vec<(u64, Channel)>)| {
            all.last().map(|(_, channel)| (agency.clone(), channel.clone()))
        };
        self.lock().iter().filter_map(last).collect()
    }

    /// Changes whenever an adapter is connected.
    pub fn arrivals(&self) -> watch::Receiver<u64> {
        self.made.subscribe()
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
