//! The adapter that runs inside an agency: it reads the agency's files, derives person secrets, and
//! serves sealed rows and releases to the gateway, and to nobody else.
//!
//! The only package in which an identifier exists.

pub mod adapter_service;
pub mod agency;
pub mod check;
pub mod check_state;
pub mod check_tls;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dataset_config;
pub mod derive;
pub mod doctor;
#[cfg(test)]
mod fixture;
pub mod grant_file;
pub mod grants;
pub mod group_source;
pub mod group_stream;
pub mod household_rows;
pub mod identifier;
pub mod keys;
pub mod lang;
pub mod load;
pub mod load_report;
pub mod load_run;
pub mod parallel;
pub mod publication;
pub mod refusal;
pub mod released;
pub mod released_group;
pub mod resume;
pub mod salts;
pub mod sealed_group;
pub mod sealing;
pub mod secret_file;
pub mod server;
pub mod setup;
pub mod subjects;
pub mod vectors;
pub mod version_head;
pub mod version_log;
pub mod version_reading;
