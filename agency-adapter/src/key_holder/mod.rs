//! This agency as a key holder (PROTOCOL.md section 15): how its share of the OPRF key comes about
//! and moves from epoch to epoch, and what it evaluates for whom.
//!
//! The arithmetic on the curve is `oprf`'s. Who carries requests is the gateway's business, who makes
//! them and combines the answers `requester`'s.

pub mod account;
pub mod ceremony;
pub mod check;
pub mod commands;
pub mod contribution;
pub mod contribution_file;
pub mod finish;
#[cfg(test)]
mod fixture;
pub mod holder;
pub mod journal;
pub mod ledger;
pub mod pending;
mod secret_lines;
pub mod seeds;
pub mod service;
pub mod subset;

use std::path::{Path, PathBuf};

/// Where everything of the key holder is kept.
pub fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("key-holder")
}
