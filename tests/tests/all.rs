//! The one integration test binary: everything that needs both sides.

mod architecture;
mod canaries;
mod capability;
mod fixture;
mod promises;
mod random;
mod recovery;
mod refusals;
mod siege;
mod staff;
mod town;
