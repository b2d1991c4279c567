//! What the tests and the demo share: a synthetic city, its oracle, and a federation to run it in.

pub mod city;
pub mod ctl;
pub mod deployment;
mod epochs;
pub mod fault_proxy;
pub mod federation;
pub mod generated;
pub mod log_reader;
pub mod oracle;
pub mod pki;
pub mod process;
pub mod running;
pub mod shared_key;
pub mod source_files;
pub mod staff_client;
pub mod stubs;
pub mod tap;
pub mod world;
