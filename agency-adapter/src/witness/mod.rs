//! This adapter as a witness of the gateway's log (PROTOCOL.md section 18): it cosigns checkpoints that
//! extend what it cosigned before, keeps the evidence of a fork, and looks for its own acts.

pub mod acts;
pub mod cosigning;
pub mod evidence;
pub mod gate;
pub mod own_act;
pub mod service;
pub mod status;
#[cfg(test)]
mod tests;
