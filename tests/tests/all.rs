//! The one integration test binary: everything that needs both sides.

mod architecture;
