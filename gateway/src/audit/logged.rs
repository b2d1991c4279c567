//! What may leave the gateway, or change it, only once the access log says so. Whoever has it seals
//! it; only the recorder opens it.
//!
//! So that nobody can forget: the services are never given an alert that is not [`Logged`], and the
//! store takes none.

use std::ops::Range;

use proto::act::Act;

/// What the log has to say before this is shown or done.
pub trait Told {
    /// The acts, in the order in which they are logged. Never empty.
    fn acts(&self) -> Vec<Act>;
}

/// Not in the log yet. Nothing can be done with it but to have it logged.
pub struct Unlogged<T>(T);

/// In the log, durably.
pub struct Logged<T> {
    what: T,
    entries: Range<u64>,
}

impl<T: Told> Unlogged<T> {
    /// Closes it until it is logged.
    pub fn seal(what: T) -> Self {
        Self(what)
    }

    pub(super) fn acts(&self) -> Vec<Act> {
        self.0.acts()
    }

    pub(super) fn logged(self, entries: Range<u64>) -> Logged<T> {
        Logged { what: self.0, entries }
    }
}

impl<T> Logged<T> {
    /// What was logged.
    pub fn what(&self) -> &T {
        &self.what
    }

    /// What was logged, to keep.
    pub fn into_what(self) -> T {
        self.what
    }

    /// Where its first entry is.
    pub fn index(&self) -> u64 {
        self.entries.start
    }

    /// Where all of them are.
    pub fn entries(&self) -> Range<u64> {
        self.entries.clone()
    }
}
