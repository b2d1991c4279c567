//! The one test binary of this package: policies as people write them, rules against an evaluator
//! that shares no code with them, and everything that comes from adapters or goes to the disk.

mod access_log;
mod alerts;
mod base;
mod description;
mod fixture;
mod pipeline;
mod policy;
mod policy_faults;
mod rows;
mod rules;
mod simulation;
mod statistics;
mod store_faults;
mod suppression;
mod sync;
