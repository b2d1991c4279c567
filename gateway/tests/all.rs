//! The one test binary of this package.

mod alerts;
#[allow(dead_code)]
mod fixture;
mod policy;
mod policy_faults;
mod rules;
mod sync;
