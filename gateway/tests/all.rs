//! The one test binary of this package: policies as people write them, and rules against an evaluator
//! that shares no code with them.

mod policy;
mod policy_faults;
mod rules;
