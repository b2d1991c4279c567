//! The adapter that runs inside an agency: it reads the agency's files, derives person secrets, and
//! serves sealed rows and releases to the gateway, and to nobody else.
//!
//! The only package in which an identifier exists.

pub mod adapter_service;
pub mod agency;
mod cell;
pub mod check;
pub mod check_state;
pub mod check_tls;
mod clean_text;
pub mod cli;
pub mod clock;
pub mod condition;
pub mod config;
mod credit_code;
mod csv_header;
mod csv_source;
pub mod dataset_config;
pub mod dataset_state;
mod decoded_text;
pub mod derive;
pub mod doctor;
pub mod evaluated_roots;
#[cfg(test)]
mod fixture;
mod flag_rule;
pub mod grant_file;
pub mod grants;
pub mod group_source;
pub mod group_stream;
mod household_name;
pub mod household_rows;
mod households;
pub mod identifier;
pub mod k_threshold;
pub mod keys;
pub mod lang;
pub mod load;
pub mod load_error;
pub mod load_report;
pub mod load_run;
mod loading;
pub mod oprf;
mod other_ids;
pub mod parallel;
mod person_table;
pub mod publication;
pub mod refusal;
pub mod region;
pub mod reject;
pub mod released;
pub mod released_group;
mod resident_id;
pub mod resume;
pub mod root_cache;
pub mod salts;
pub mod sealed_group;
pub mod sealing;
pub mod secret_file;
pub mod server;
pub mod setup;
mod store_origin;
pub mod subjects;
pub mod vectors;
pub mod version_head;
pub mod version_log;
pub mod version_reading;
