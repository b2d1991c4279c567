//! What the lines of statistics are called: regions, situations and rules. The protocol's own words have no
//! label; clients know them.

use proto::wire;

use crate::{label::Label, policy::Policy, regions::Regions, wire_alert};

/// Where names are found.
pub struct Names<'a> {
    /// Rules and situations.
    pub policy: &'a Policy,
    /// Regions.
    pub regions: &'a Regions,
}

impl Names<'_> {
    /// What a line is called: by the last part of its id.
    pub fn label(&self, id: &str) -> Option<wire::Label> {
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()) {
            return self.regions.name(id).as_ref().map(wire_alert::label);
        }
        let last = id.rsplit('/').next()?;
        let rules = self.policy.rules.iter().map(|rule| (rule.id.as_str(), &rule.label));
        let situations = self.policy.catalogue.situations.iter();
        let situations = situations.map(|situation| (situation.id.as_str(), &situation.label));
        let found = rules.chain(situations).find(|(known, _)| *known == last);
        found.map(|(_, label): (&str, &Label)| wire_alert::label(label))
    }
}
