//! What the tests and the demo share.

pub mod generated;
