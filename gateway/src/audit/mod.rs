//! The access log: every access and every act, in an order that nobody can change afterwards
//! (PROTOCOL.md section 17).
//!
//! `recorder` writes entries, and what `logged` has may be shown or done only then; `tally` counts what
//! is logged in numbers. `log` is the log itself. Below it are `queue` and `writer` (who waits for
//! what), `journal` with its `frame`s (an entry is durable), `sealing` (tiles and the checkpoint over
//! them).

mod frame;
mod journal;
pub mod log;
pub mod log_key;
pub mod logged;
pub mod looking;
mod opening;
mod queue;
pub mod recorder;
mod sealing;
mod state;
pub mod tally;
#[cfg(test)]
mod tests;
pub mod tile_files;
pub(crate) mod witness_call;
mod witnessed;
pub mod witnesses;
mod writer;
