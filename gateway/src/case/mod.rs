//! Cases: from an alert to help (PROTOCOL.md section 19).
//!
//! `lifecycle` is the state machine. `desk` is the one task that changes cases: by what officers do
//! (`step`) and by what the gateway does by itself (`by_itself`), in the order log, store, answer
//! (`answers`). `cases` keeps them, `case_list` shows them, `case_service` speaks to staff.

mod answers;
pub mod by_itself;
pub mod calendar;
pub mod case_acts;
pub mod case_list;
pub mod case_service;
pub mod cases;
pub mod desk;
pub mod lifecycle;
mod notices;
mod orders;
mod refused;
pub mod requests;
pub mod step;
pub mod terms;
mod wire_case;
mod wire_step;
