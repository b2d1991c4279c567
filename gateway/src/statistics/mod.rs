//! Statistics: how far the campaign and help have come, in counts that tell nobody about one person
//! (PROTOCOL.md section 23).

pub mod counts;
pub mod delay;
pub mod kept;
pub mod names;
pub mod period;
pub mod records;
pub mod report;
pub mod screening;
pub mod suppression;
