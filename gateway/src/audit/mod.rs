//! The access log: every access and every act, in an order that nobody can change afterwards
//! (PROTOCOL.md section 17).
//!
//! `log` is what the rest of the gateway sees. Below it are `journal` (an entry is durable),
//! `sealing` (tiles and the checkpoint over them) and `disk` (what is done to files).

pub mod disk;
mod journal;
pub mod log;
mod opening;
mod sealing;
mod state;
#[cfg(test)]
mod tests;
pub mod tile_files;
mod writer;
