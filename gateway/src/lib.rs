//! The matching gateway: intersects sealed rows with what releases allow, runs rules, raises
//! alerts.

pub mod bitset;
pub mod catalogue;
mod checker;
pub mod columns;
pub mod explanation;
pub mod expression;
pub mod facts;
pub mod label;
pub mod outcomes;
pub mod plan;
pub mod policy;
mod policy_catalogue;
mod policy_error;
mod policy_file;
mod reference;
pub mod rule;
mod syntax;
mod toml_string;
