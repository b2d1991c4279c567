//! The adapter that runs inside an agency: it reads the agency's files, derives person secrets, and
//! serves sealed rows and releases to the gateway, and to nobody else.
//!
//! The only package in which an identifier exists.

mod cell;
mod clean_text;
pub mod condition;
mod credit_code;
mod csv_source;
pub mod dataset_config;
mod decoded_text;
mod flag_rule;
mod households;
pub mod identifier;
pub mod k_threshold;
pub mod lang;
pub mod load;
pub mod load_error;
pub mod load_report;
mod loading;
mod other_ids;
mod person_table;
pub mod region;
pub mod reject;
mod resident_id;
