//! Disclosure: one officer gets one person's contact details, if everything is as it must be (PROTOCOL.md
//! section 21).
//!
//! `service` is the door, `discloser` the order of the checks; `signatures` and `witnessed` check what
//! others said, `policy` is what this agency allows, `person` reads the source, `journal` remembers.

pub mod check;
pub mod discloser;
pub mod journal;
pub mod listing;
mod person;
pub mod policy;
pub mod refused;
pub mod service;
mod signatures;
#[cfg(test)]
mod tests;
mod witnessed;
