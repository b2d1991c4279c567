//! The people of a file while it is read: each once, whatever the number of rows.

use std::collections::HashMap;

use crate::{
    flag_rule::{FlagRule, Tally},
    identifier::Identifier,
    particulars::Particulars,
};

/// People, by the order of their first rows.
pub(crate) struct PersonTable<'a> {
    rules: &'a [FlagRule],
    places: HashMap<Identifier, u32>,
    particulars: Vec<Option<Box<Particulars>>>,
    /// Some row had an identifier that was not upgraded.
    confirmed: Vec<bool>,
    /// Of all people, one for each rule.
    tallies: Vec<Tally>,
}

/// A person whose rows are all read.
pub(crate) struct TabledPerson<'a> {
    pub identifier: Identifier,
    pub particulars: Option<Box<Particulars>>,
    pub confirmed: bool,
    pub tallies: &'a [Tally],
}

impl<'a> PersonTable<'a> {
    pub(crate) fn new(rules: &'a [FlagRule]) -> Self {
        let (particulars, confirmed, tallies) = (vec![], vec![], vec![]);
        Self { rules, places: HashMap::new(), particulars, confirmed, tallies }
    }

    /// How many people there are.
    pub(crate) fn len(&self) -> usize {
        self.particulars.len()
    }

    /// Adds a row with a tally for each rule and returns the person's place.
    pub(crate) fn add(
        &mut self,
        identifier: Identifier,
        particulars: Option<Box<Particulars>>,
        confirmed: bool,
        tallies: &[Tally],
    ) -> usize {
        let next = u32::try_from(self.len()).expect("fewer people than memory has");
        let place = *self.places.entry(identifier).or_insert(next) as usize;
        if place == self.len() {
            self.particulars.push(particulars);
            self.confirmed.push(confirmed);
            self.tallies.extend_from_slice(tallies);
            return place;
        }
        match (&mut self.particulars[place], particulars) {
            (Some(known), Some(row)) => known.merge(*row),
            (known, row) => *known = known.take().or(row),
        }
        self.confirmed[place] |= confirmed;
        let width = self.rules.len();
        let known = &mut self.tallies[place * width..][..width];
        for ((known, &new), rule) in known.iter_mut().zip(tallies).zip(self.rules) {
            *known = rule.merge(*known, new);
        }
        place
    }

    /// The identifiers by place, and by the same places what `person` makes of each person.
    pub(crate) fn into_people<P>(self, mut person: impl FnMut(TabledPerson<'_>) -> P) -> Vec<P> {
        let mut identifiers: Vec<Option<Identifier>> = vec![None; self.particulars.len()];
        for (identifier, place) in self.places {
            identifiers[place as usize] = Some(identifier);
        }
        let width = self.rules.len();
        let people = identifiers.into_iter().zip(self.particulars).zip(self.confirmed).enumerate();
        let people = people.map(|(place, ((identifier, particulars), confirmed))| {
            person(TabledPerson {
                identifier: identifier.expect("each place was given to one identifier"),
                particulars,
                confirmed,
                tallies: &self.tallies[place * width..][..width],
            })
        });
        people.collect()
    }
}
