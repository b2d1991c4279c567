//! Plain data for the oracle: who is listed where with what, and who lives with whom.

use std::collections::{BTreeMap, BTreeSet};

/// A canonical number, or in a made-up world any text.
pub type PersonId = String;

/// Everything that is true, or as much of it as the sources say.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Dataset, person, and for each flag the set of exact values that are possible, one bit each.
    pub listed: BTreeMap<String, BTreeMap<PersonId, Vec<u32>>>,
    /// The household of everybody whose household is known.
    pub households: BTreeMap<PersonId, HouseholdList>,
    /// Dataset, and the subjects whose rows may be opened; everybody's where nothing is said of it.
    pub released: BTreeMap<String, BTreeSet<PersonId>>,
}

impl World {
    /// Whether a subject's own row in a dataset may be opened.
    pub fn may_ask(&self, dataset: &str, subject: &str) -> bool {
        self.released.get(dataset).is_none_or(|released| released.contains(subject))
    }
}

/// A household as a register gives it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HouseholdList {
    /// The members, the person included if there was room.
    pub members: Vec<PersonId>,
    /// Nobody is left out.
    pub complete: bool,
}
