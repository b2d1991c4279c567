//! Disclosures on their way between an officer, an approver and the agency that knows a person (PROTOCOL.md
//! section 21). The gateway relays what it cannot open.
//!
//! `service` is the door for staff, `right_to_ask` who comes through it, `approvers` how many must approve,
//! `courier` carries what is approved, `disclosures` keeps everything in between, `stage` is what one of
//! them can come to.

pub mod approvers;
pub mod courier;
pub mod disclosures;
pub mod right_to_ask;
pub mod service;
pub mod stage;
