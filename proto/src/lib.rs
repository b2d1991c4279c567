//! The contract between gateway and agency adapters, as PROTOCOL.md fixes it.
//!
//! Owns messages, names, labels, schemas, sealed rows, grants, signatures and the mutual TLS they
//! travel over. Does not own anything that turns an identifier into a tag (agency-adapter), storage,
//! clocks or key files. `transport` is the one file that touches a socket.

pub mod act;
mod act_about;
pub mod alert_id;
pub mod case_event;
pub mod checkpoint;
pub mod contact;
pub mod cosignature;
pub mod cursor;
pub mod disclosure;
pub mod disclosure_request;
pub mod edge;
pub mod entry;
pub mod envelope;
mod epoch_life;
pub mod evaluation;
pub mod fault;
pub mod group;
pub mod group_fault;
pub mod hex_bytes;
pub mod household;
pub mod identity;
pub mod labels;
pub mod log_proof;
pub mod log_span;
pub mod log_verification;
pub mod lp;
pub mod manifest;
pub mod manifest_file;
mod manifest_rules;
pub mod merkle;
pub mod method_name;
pub mod name;
pub mod note;
pub mod officer_certificate;
pub mod officer_key;
pub mod person_secret;
pub mod quorum;
pub mod region_code;
pub mod salt;
pub mod schema;
pub mod scope;
pub mod sealed_row;
pub mod signed_manifest;
pub mod signing;
pub mod subject;
pub mod succession;
pub mod tile;
pub mod tiled_tree;
pub mod tls;
pub mod transport;
pub mod verifier_key;
pub mod wire;
pub mod witness;
pub mod work_order;

/// Golden values of every derivation; an adapter's `doctor` runs them.
pub const DERIVATION_VECTORS: &str = include_str!("../vectors/derivation.json");
