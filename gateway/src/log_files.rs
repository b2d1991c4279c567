//! The log's tiles, entry bundles and checkpoint over HTTPS, read-only, as C2SP tlog-tiles has them.
//!
//! Who may ask was settled by `authorise`. Bundles have entries, so reading one is logged; hashes and
//! checkpoints say nothing about anybody.

use axum::{
    Extension, Router,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use proto::{
    act::Act,
    tile::{Tile, TileKind},
};

use crate::{
    audit::{log::ReadError, recorder::Recorder},
    authorise::Caller,
};

/// A tile never changes; a partial one is as immutable as a full one.
const IMMUTABLE: &str = "private, max-age=31536000, immutable";
const FRESH: &str = "no-cache";

/// The routes below `/log/`.
pub fn routes(recorder: Recorder) -> Router {
    Router::new()
        .route("/log/checkpoint", get(checkpoint))
        .route("/log/{*path}", get(tile))
        .with_state(recorder)
}

async fn checkpoint(State(recorder): State<Recorder>) -> Response {
    let headers =
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, FRESH)];
    (headers, recorder.checkpoint().to_string()).into_response()
}

async fn tile(
    State(recorder): State<Recorder>,
    Extension(caller): Extension<Caller>,
    Path(path): Path<String>,
) -> Response {
    let Ok(tile) = path.parse::<Tile>() else { return StatusCode::NOT_FOUND.into_response() };
    let bytes = match recorder.log().tile(tile).await {
        Ok(bytes) => bytes,
        Err(ReadError::Beyond { .. }) => return StatusCode::NOT_FOUND.into_response(),
        Err(error @ ReadError::Fault(_)) => {
            tracing::error!(%error, "a tile of the access log is not served");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    };
    if tile.kind == TileKind::Entries {
        let read = Act::LogRead { first: tile.entries().start, end: tile.entries().end };
        if recorder.record(&caller.actor(), read).await.is_err() {
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let headers =
        [(header::CONTENT_TYPE, "application/octet-stream"), (header::CACHE_CONTROL, IMMUTABLE)];
    (headers, bytes).into_response()
}
