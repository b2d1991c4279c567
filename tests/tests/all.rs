//! The one integration test binary: everything that needs both sides.

mod access_log;
mod architecture;
mod audit;
mod brute_force;
mod canaries;
mod capability;
mod certificates;
mod demo;
mod descriptions;
mod evaluation;
mod fixture;
mod full_disk;
mod key_holders;
mod machines;
mod manifest;
mod offline_trial;
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
