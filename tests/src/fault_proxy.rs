//! A network between two programs that fails as networks do: it stands at one program's door, knows
//! nothing of what passes, and has weather.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

/// What is carried at a time.
const CHUNK: usize = 16 << 10;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything passes.
    Clear,
    /// Connections break, and none is made.
    Parted,
    /// Connections stay open, new ones are made, and what is sent either way never arrives.
    Swallowing,
    /// Everything arrives so much later.
    Late(Duration),
    /// So many bytes pass in a second, each way.
    Narrow(u32),
}

/// The network at one program's door, until it is dropped.
pub struct FaultProxy {
    /// Where the program is reached through it.
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
    serving: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// Begins to carry what is sent to `door`.
    ///
    /// # Errors
    /// The system's.
    pub async fn start(door: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let weather = watch::Sender::new(Weather::Clear);
        let serving = tokio::spawn(serve(listener, door, weather.subscribe()));
        Ok(Self { address, weather, serving })
    }

    /// The weather changes, for connections that are open too.
    pub fn turn(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, door: SocketAddr, weather: watch::Receiver<Weather>) {
    let mut connections = JoinSet::new();
    while let Ok((from, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        if *weather.borrow() != Weather::Parted {
            connections.spawn(carry(from, door, weather.clone()));
        }
    }
}

/// One connection, both ways, until either way ends.
async fn carry(from: TcpStream, door: SocketAddr, weather: watch::Receiver<Weather>) {
    let Ok(to) = TcpStream::connect(door).await else { return };
    // Small messages must not wait for each other here: that is the weather's business.
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let (from_read, from_write) = from.into_split();
    let (to_read, to_write) = to.into_split();
    tokio::select! {
        () = pump(from_read, to_write, weather.clone()) => {}
        () = pump(to_read, from_write, weather) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut weather: watch::Receiver<Weather>,
) {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = tokio::select! {
            read = from.read(&mut chunk) => read,
            parted = weather.wait_for(|weather| *weather == Weather::Parted) => {
                drop(parted);
                return;
            }
        };
        let Ok(length @ 1..) = read else { return };
        let now = *weather.borrow();
        match now {
            Weather::Clear => {}
            Weather::Parted => return,
            Weather::Swallowing => continue,
            Weather::Late(by) => tokio::time::sleep(by).await,
            Weather::Narrow(rate) => {
                let seconds = length as f64 / f64::from(rate.max(1));
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
            }
        }
        if to.write_all(&chunk[..length]).await.is_err() {
            return;
        }
    }
}
