//! Which members each subject's household has, as far as the household dataset says.
//!
//! Members are pseudonyms; whether one of them is also a subject is never asked.

use std::collections::HashMap;

use proto::{
    household::{Household, MemberEntry},
    subject::Member,
};

use crate::{bitset::Bitset, numbers::Numbers};

/// All households of the base.
#[derive(Default)]
pub struct Households {
    /// Numbers of members.
    pub numbers: Numbers<Member>,
    lists: HashMap<u32, List>,
    /// How many lists name a member.
    named: Vec<u32>,
    layout: Layout,
}

struct List {
    members: Vec<u32>,
    complete: bool,
}

/// The lists laid out for rules: subject `s` has `members[offsets[s]..offsets[s + 1]]`.
#[derive(Default)]
pub struct Layout {
    /// One more than there are subjects.
    pub offsets: Vec<u32>,
    /// Member numbers.
    pub members: Vec<u32>,
    /// Subjects whose list is known and names everybody.
    pub complete: Bitset,
}

impl Households {
    /// Replaces a subject's household by what its row says now. Returns the entries of all who are
    /// in it, by number, and those whom no household names any more.
    pub fn replace(
        &mut self,
        subject: u32,
        household: Option<Household>,
    ) -> (Vec<(u32, MemberEntry)>, Vec<u32>) {
        let before = self.lists.remove(&subject);
        let mut entries = vec![];
        if let Some(household) = household {
            let complete = !household.overflow;
            for entry in household.members {
                entries.push((self.numbers.intern(entry.member), entry));
            }
            self.named.resize(self.numbers.len(), 0);
            let members: Vec<u32> = entries.iter().map(|&(number, _)| number).collect();
            members.iter().for_each(|&number| self.named[number as usize] += 1);
            self.lists.insert(subject, List { members, complete });
        }
        let mut gone = vec![];
        for number in before.into_iter().flat_map(|list| list.members) {
            self.named[number as usize] -= 1;
            if self.named[number as usize] == 0 {
                gone.push(number);
            }
        }
        (entries, gone)
    }

    /// Lays the lists out anew.
    pub fn lay_out(&mut self, subjects: usize) {
        let mut layout = Layout::default();
        layout.offsets.reserve(subjects + 1);
        layout.offsets.push(0);
        layout.complete.grow(subjects);
        for subject in 0..subjects {
            let number = u32::try_from(subject).expect("subjects are numbered by u32");
            if let Some(list) = self.lists.get(&number) {
                layout.members.extend_from_slice(&list.members);
                layout.complete.assign(subject, list.complete);
            }
            let end = u32::try_from(layout.members.len()).expect("households have few members");
            layout.offsets.push(end);
        }
        self.layout = layout;
    }

    /// The lists as last laid out.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }
}
