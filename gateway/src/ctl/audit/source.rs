//! Where the log's files are read from: a copy of the gateway's files, or a running gateway over HTTPS.

use std::{fs, path::PathBuf};

use axum::body::{Body, to_bytes};
use gateway::audit::tile_files::TileFiles;
use proto::{tile::Tile, tiled_tree::TileSource, wire::GetCheckpointRequest};
use tokio::runtime::Handle;
use tonic::{codegen::http::Request, transport::Channel};
use tower::{Service, ServiceExt};

use crate::{
    connection::{Gateway, answer, asking},
    failure::Failure,
};

/// A bundle of 256 entries of 64 KiB is the largest file.
const LARGEST: usize = 17 << 20;

/// Where the files are.
pub enum Source {
    /// A copy.
    Copy(Copied),
    /// A gateway; read outside of the runtime that `Handle` is of.
    Gateway(Channel, Handle),
}

/// A copy of a log's files.
pub struct Copied {
    /// Has `tile/` in it.
    tiles: PathBuf,
    /// The checkpoint that is verified.
    checkpoint: PathBuf,
}

impl Copied {
    /// Finds the files in a copy of the gateway's data directory, of the log in it, or of what the
    /// gateway serves. Beside the log the gateway keeps the last checkpoint that the quorum cosigned;
    /// the one among the tiles is newer, and only the log may have signed it yet.
    pub fn find(directory: PathBuf) -> Self {
        let below = directory.join("log");
        let (data, tiles) = match below.is_dir() {
            true => (Some(directory.as_path()), below),
            false => (directory.parent(), directory.clone()),
        };
        let cosigned = data.map(|data| data.join("log.cosigned")).filter(|path| path.is_file());
        let checkpoint = cosigned.unwrap_or_else(|| tiles.join("checkpoint"));
        Self { tiles, checkpoint }
    }
}

impl Source {
    /// The checkpoint, for somebody who knows one of this size.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn checkpoint(&self, known_size: u64) -> Result<String, Failure> {
        match self {
            Self::Copy(Copied { checkpoint, .. }) => fs::read_to_string(checkpoint)
                .map_err(|error| Failure::Usage(format!("{}: {error}", checkpoint.display()))),
            Self::Gateway(channel, runtime) => {
                let mut audit = Gateway::over(channel.clone()).audit;
                let request = asking(GetCheckpointRequest { known_size });
                Ok(runtime.block_on(answer(audit.get_checkpoint(request)))?.checkpoint)
            }
        }
    }
}

impl TileSource for Source {
    type Error = String;

    fn read(&self, tile: Tile) -> Result<Vec<u8>, String> {
        match self {
            Self::Copy(Copied { tiles, .. }) => {
                let read = TileFiles::in_directory(tiles).read(tile);
                read.map_err(|error| format!("{}: {error}", tiles.join(tile.to_string()).display()))
            }
            Self::Gateway(channel, runtime) => {
                runtime.block_on(get(channel.clone(), &tile.to_string()))
            }
        }
    }
}

async fn get(mut channel: Channel, path: &str) -> Result<Vec<u8>, String> {
    let request = Request::get(format!("/log/{path}")).body(tonic::body::Body::empty());
    let request = request.map_err(|error| error.to_string())?;
    let ready = channel.ready().await.map_err(|error| error.to_string())?;
    let response = ready.call(request).await.map_err(|error| error.to_string())?;
    if !response.status().is_success() {
        return Err(format!("the gateway answers {} for {path}", response.status()));
    }
    let body = to_bytes(Body::new(response.into_body()), LARGEST).await;
    body.map(|bytes| bytes.to_vec()).map_err(|error| error.to_string())
}
