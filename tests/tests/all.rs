//! The one integration test binary: everything that needs both sides.

mod access_log;
mod architecture;
mod audit;
mod canaries;
mod capability;
mod certificates;
mod demo;
mod descriptions;
mod epoch_crash;
mod epochs;
mod fixture;
mod full_disk;
mod machines;
mod manifest;
mod oprf;
mod promises;
mod random;
mod recovery;
mod refusals;
mod reload;
mod siege;
mod staff;
mod town;
mod witnesses;
