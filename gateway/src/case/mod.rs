//! Cases: from an alert to help (PROTOCOL.md section 19).
//!
//! `case` is the state machine, `cases` keeps cases, `desk` is the one task that changes them.

pub mod cases;
