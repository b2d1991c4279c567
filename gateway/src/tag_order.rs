//! People in the order of their tags, without their tags: 4 bytes a person.
//!
//! A tag is computed from the person's secret whenever it is needed, which takes less time than fetching
//! it from a map would, and 16 bytes less. By the beginning of the tag people are in drawers, so that one
//! more or one less moves few.

use proto::person_secret::LookupTag;

/// Drawers: one for every value of this many bits.
const BITS: u32 = 12;

/// The order.
#[derive(Default)]
pub(crate) struct TagOrder(Vec<Vec<u32>>);

fn drawer(tag: LookupTag) -> usize {
    let [first, second, ..] = tag.0;
    usize::from(u16::from_be_bytes([first, second]) >> (u16::BITS - BITS))
}

impl TagOrder {
    /// Adds people who are not in it; they come in the order of their tags.
    pub(crate) fn add(&mut self, new: &[(LookupTag, u32)], tag: impl Fn(u32) -> LookupTag) {
        if !new.is_empty() {
            self.0.resize(1 << BITS, vec![]);
        }
        for new in new.chunk_by(|a, b| drawer(a.0) == drawer(b.0)) {
            let people = &mut self.0[drawer(new[0].0)];
            let before = people.iter().map(|&number| (tag(number), number));
            let mut all: Vec<_> = before.chain(new.iter().copied()).collect();
            all.sort_unstable();
            // Collected in place, they would keep the room that their tags had.
            *people = Vec::with_capacity(all.len());
            people.extend(all.iter().map(|&(_, number)| number));
        }
    }

    /// Takes somebody out who is in it under this tag.
    pub(crate) fn remove(&mut self, tag: LookupTag, number: u32) {
        if let Some(people) = self.0.get_mut(drawer(tag)) {
            people.retain(|&other| other != number);
        }
    }

    /// Those who have a tag.
    pub(crate) fn with(
        &self,
        wanted: LookupTag,
        tag: impl Fn(u32) -> LookupTag,
    ) -> impl Iterator<Item = u32> {
        let people = self.0.get(drawer(wanted)).map_or(&[][..], Vec::as_slice);
        let first = people.partition_point(|&number| tag(number) < wanted);
        people[first..].iter().copied().take_while(move |&number| tag(number) == wanted)
    }

    /// Everybody, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flatten().copied()
    }
}
