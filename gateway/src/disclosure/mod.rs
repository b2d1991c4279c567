//! Disclosures on their way between an officer, an approver and the agency that knows a person (PROTOCOL.md
//! section 21). The gateway relays what it cannot open.
//!
//! `service` is the door for staff, `courier` carries what is approved, `disclosures` keeps everything in
//! between, `stage` is what one of them can come to.

pub mod courier;
pub mod disclosures;
pub mod review;
pub mod service;
pub mod stage;
