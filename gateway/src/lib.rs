//! The matching gateway: intersects sealed rows with what releases allow, runs rules, raises alerts.
//!
//! `gateway` puts everything together and `pipeline` knows the order of the stages. Nothing here
//! can turn an identifier into a tag: that code is not in this package's dependencies.

pub mod admin_service;
pub mod alert;
pub mod alerts;
pub mod authorise;
pub mod base;
pub mod clock;
pub mod config;
pub mod data_line;
pub mod description;
pub mod follow;
pub mod gateway;
pub mod grants;
pub mod households;
pub mod link;
pub mod match_service;
pub mod numbers;
pub mod pipeline;
pub mod policy_in_force;
pub mod refusal;
pub mod rows;
pub mod status;
pub mod sync;
pub mod watch_list;
pub mod wire_alert;
