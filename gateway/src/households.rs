//! Which members each subject's household has, as far as the household dataset says.
//!
//! Members are pseudonyms; whether one of them is also a subject is never asked.

use proto::{
    household::{Household, MemberEntry},
    subject::Member,
};

use crate::{bitset::Bitset, lists::Lists, numbers::Numbers};

/// All households of the base.
#[derive(Default)]
pub struct Households {
    /// Numbers of members.
    pub numbers: Numbers<Member>,
    /// By subject, the members.
    members: Lists,
    /// Subjects whose list is known and names everybody.
    complete: Bitset,
    /// By member, the subjects whose list names it.
    named_by: Lists,
}

impl Households {
    /// Replaces a subject's household by what its row says now. Returns the entries of all who are
    /// in it, by number, and those whom no household names any more.
    pub fn replace(
        &mut self,
        subject: u32,
        household: Option<Household>,
    ) -> (Vec<(u32, MemberEntry)>, Vec<u32>) {
        let index = subject as usize;
        self.complete.grow(index + 1);
        self.complete.assign(index, household.as_ref().is_some_and(|it| !it.overflow));
        let entries = household.into_iter().flat_map(|household| household.members);
        let entries: Vec<(u32, MemberEntry)> =
            entries.map(|entry| (self.numbers.intern(entry.member), entry)).collect();
        let members: Vec<u32> = entries.iter().map(|&(number, _)| number).collect();
        let before = self.members.of(index).to_vec();
        if before == members {
            return (entries, vec![]);
        }
        members.iter().for_each(|&member| self.named_by.add(member as usize, subject));
        before.iter().for_each(|&member| self.named_by.remove(member as usize, subject));
        self.members.replace(index, &members);
        let unnamed = |member: &u32| self.named_by.of(*member as usize).is_empty();
        (entries, before.into_iter().filter(unnamed).collect())
    }

    /// By subject, the numbers of members.
    pub fn members(&self) -> &Lists {
        &self.members
    }

    /// Subjects whose list is known and names everybody.
    pub fn complete(&self) -> &Bitset {
        &self.complete
    }

    /// The subjects whose household names a member.
    pub fn naming(&self, member: usize) -> &[u32] {
        self.named_by.of(member)
    }
}
