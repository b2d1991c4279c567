//! `audit` and `receipt`: what auditors ask of the access log, and what anybody can check offline.
//!
//! Nothing that the gateway says is believed before it is proved: every answer is checked against the
//! keys in the federation manifest (`trust`) and against the last checkpoint that was kept (`kept`).

mod answer;
mod case_sentence;
mod csv;
mod filter;
mod kept;
#[cfg(test)]
mod liar;
mod receipt;
mod report;
mod search;
mod sentence;
mod source;
#[cfg(test)]
mod tests;
mod trust;
mod verify;

pub use filter::{Chosen, Export};
pub use receipt::{get as get_receipt, verify as verify_receipt};
pub use report::report;
pub use search::{export, prove, search, show};
pub use source::{Copied, Source};
pub use trust::{Auditor, manifest};
pub use verify::verify;
