//! The adapter that runs inside an agency: it reads the agency's files, derives person secrets, and
//! serves sealed rows and releases to the gateway, and to nobody else.
//!
//! The only package in which an identifier exists.

pub mod agency;
pub mod clock;
pub mod config;
pub mod dataset_config;
pub mod derive;
pub mod grant_file;
pub mod grants;
pub mod identifier;
pub mod keys;
pub mod lang;
pub mod load;
pub mod load_report;
pub mod salts;
pub mod secret_file;
pub mod vectors;
