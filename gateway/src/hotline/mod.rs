//! Help requests of hotlines: open work orders about people in the base, and the way back of those that
//! staff return (PROTOCOL.md sections 20.4 and 20.5).

pub mod carrying;
pub mod open_orders;
pub mod returns;
