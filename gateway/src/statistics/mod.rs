//! Statistics: how far the campaign and help have come, in counts that tell nobody about one person
//! (PROTOCOL.md section 23).

pub mod suppression;
