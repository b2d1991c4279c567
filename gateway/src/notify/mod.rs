//! Telling officers that a case waits for them: notices, the outbox that keeps them, and the ways out to
//! webhooks, SMS gateways and mail servers (PROTOCOL.md section 22).
//!
//! What is worth telling is `case`'s to decide. Nothing here knows a subject, a rule or a situation, so
//! none of it can leave.

pub mod backoff;
pub mod channel;
pub mod deliveries;
mod http;
pub mod message;
pub mod notice;
pub mod outbox;
pub mod sender;
mod sms;
mod smtp;
pub mod target;
pub mod target_file;
mod webhook;
