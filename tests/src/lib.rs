//! What the tests and the demo share.

pub mod city;
pub mod generated;
pub mod oracle;
pub mod pki;
