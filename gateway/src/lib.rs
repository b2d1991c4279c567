//! The matching gateway: intersects sealed rows with what releases allow, runs rules, raises alerts.
//!
//! `gateway` puts everything together and `pipeline` knows the order of the stages. Nothing here
//! can turn an identifier into a tag: that code is not in this package's dependencies.

pub mod admin_service;
pub mod agreement;
pub mod alert;
pub mod alerts;
pub mod audit;
pub mod authorise;
pub mod base;
pub mod bitset;
pub mod catalogue;
mod checker;
pub mod clock;
pub mod columns;
pub mod config;
pub mod data_line;
pub mod description;
pub mod dry_run;
mod evaluation;
pub mod explanation;
pub mod expression;
pub mod facts;
pub mod follow;
pub mod gateway;
pub mod grants;
mod held;
pub mod households;
pub mod label;
mod ledger;
pub mod link;
pub mod match_service;
pub mod numbers;
pub mod outcomes;
pub mod pipeline;
pub mod plan;
pub mod policy;
mod policy_catalogue;
mod policy_error;
mod policy_file;
pub mod policy_in_force;
mod reference;
pub mod refusal;
pub mod region;
mod row_file;
pub mod rows;
pub mod rule;
pub mod status;
pub mod sync;
mod syntax;
pub mod tls_in_force;
mod toml_string;
pub mod watch_list;
mod watcher;
pub mod wire_alert;
