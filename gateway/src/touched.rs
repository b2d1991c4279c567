//! Of whom anything was learnt that rules have not been run over yet.
//!
//! Whoever changes the base says whom it concerns; too many are no fault, one too few is.

use crate::{bitset::Bitset, households::Households};

/// Subjects, and members of households.
#[derive(Default)]
pub(crate) struct Touched {
    subjects: Bitset,
    members: Bitset,
}

impl Touched {
    /// So many subjects have been met; those who are new are touched by it.
    pub(crate) fn met(&mut self, subjects: usize) {
        if subjects > self.subjects.len() {
            self.subjects.resize(subjects, true);
        }
    }

    /// Something was learnt of subjects who were met.
    pub(crate) fn subjects(&mut self, numbers: &[u32]) {
        numbers.iter().for_each(|&number| self.subjects.set(number as usize));
    }

    /// Something was learnt of members of households.
    pub(crate) fn members(&mut self, numbers: &[u32]) {
        if let Some(&last) = numbers.iter().max() {
            self.members.grow(last as usize + 1);
            numbers.iter().for_each(|&number| self.members.set(number as usize));
        }
    }

    /// Everybody who was touched, or whose household names a member who was. Nobody is any more.
    pub(crate) fn take(&mut self, households: &Households) -> Bitset {
        let nobody = Bitset::filled(self.subjects.len(), false);
        let mut subjects = std::mem::replace(&mut self.subjects, nobody);
        for member in std::mem::take(&mut self.members).ones() {
            let naming = households.naming(member).iter();
            naming.for_each(|&subject| subjects.set(subject as usize));
        }
        subjects
    }
}
