//! Which holders know a seed together: the subsets of n - t + 1 of the n holders (PROTOCOL.md section
//! 15.2). Any t holders have at least one member of every subset, t - 1 do not.

use std::num::NonZeroU8;

use curve25519_dalek::scalar::Scalar;
use serde::{Deserialize, Serialize};

use crate::oprf::MAX_HOLDERS;

/// So many of so many holders make the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Numbers")]
pub struct Sharing {
    threshold: u8,
    holders: u8,
}

/// Some of the holders, one bit each: holder 1 is the lowest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subset(u16);

/// Numbers that make no sense, or more holders than are supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{threshold} of {holders} key holders: there must be at most {MAX_HOLDERS} and the threshold must be \
     at least 2, since with 1 every holder would have the whole key"
)]
pub struct SharingError {
    threshold: u8,
    holders: usize,
}

#[derive(Deserialize)]
struct Numbers {
    threshold: u8,
    holders: u8,
}

impl TryFrom<Numbers> for Sharing {
    type Error = SharingError;

    fn try_from(numbers: Numbers) -> Result<Self, SharingError> {
        Self::new(numbers.threshold, numbers.holders.into())
    }
}

impl Sharing {
    /// `threshold` of `holders`.
    ///
    /// # Errors
    /// [`SharingError`].
    pub fn new(threshold: u8, holders: usize) -> Result<Self, SharingError> {
        let fault = SharingError { threshold, holders };
        let number = u8::try_from(holders).map_err(|_| fault)?;
        if threshold < 2 || threshold > number || holders > MAX_HOLDERS {
            return Err(fault);
        }
        Ok(Self { threshold, holders: number })
    }

    /// How many shares make the key.
    pub fn threshold(self) -> u8 {
        self.threshold
    }

    /// How many holders there are.
    pub fn holders(self) -> u8 {
        self.holders
    }

    /// The indices of all holders.
    pub fn indices(self) -> impl Iterator<Item = NonZeroU8> {
        (1..=self.holders).filter_map(NonZeroU8::new)
    }

    /// Every subset, in the order of their masks.
    pub fn subsets(self) -> impl Iterator<Item = Subset> {
        let size = self.size();
        let all = u16::MAX >> (16 - self.holders);
        (0..=all).filter(move |mask| mask.count_ones() == size).map(Subset)
    }

    /// Those of which this holder is a member.
    pub fn subsets_with(self, holder: NonZeroU8) -> impl Iterator<Item = Subset> {
        self.subsets().filter(move |subset| subset.contains(holder))
    }

    /// Reads the indices of a subset's members, as in `1,2,4`, if it is one of this sharing's.
    pub fn subset(self, text: &str) -> Option<Subset> {
        let mut mask = 0_u16;
        for member in text.split(',') {
            let bit = 1_u16.checked_shl(member.parse::<u32>().ok()?.checked_sub(1)?)?;
            // Each is above the one before: there is one way to write a subset.
            if bit <= mask {
                return None;
            }
            mask |= bit;
        }
        let fits = mask.count_ones() == self.size() && mask >> (self.holders - 1) <= 1;
        fits.then_some(Subset(mask))
    }

    /// How many members a subset has.
    fn size(self) -> u32 {
        u32::from(self.holders - self.threshold + 1)
    }

    /// f_A(at): the value of the polynomial that is 1 at 0, and 0 at every holder outside `subset`.
    pub fn weight(self, subset: Subset, at: NonZeroU8) -> Scalar {
        let at = Scalar::from(at.get());
        let outside = self.indices().filter(|holder| !subset.contains(*holder));
        let (above, below) = outside
            .map(|holder| Scalar::from(holder.get()))
            .fold((Scalar::ONE, Scalar::ONE), |(above, below), holder| {
                (above * (holder - at), below * holder)
            });
        above * below.invert()
    }
}

impl Subset {
    /// Whether this holder is a member.
    pub fn contains(self, holder: NonZeroU8) -> bool {
        1_u16.checked_shl(u32::from(holder.get()) - 1).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Its members, in order.
    pub fn members(self) -> impl Iterator<Item = NonZeroU8> {
        (1..=16).filter_map(NonZeroU8::new).filter(move |holder| self.contains(*holder))
    }

    /// The bits, for hashed bytes.
    pub fn mask(self) -> u32 {
        self.0.into()
    }
}

/// The members' indices, as in `1,2,4`.
impl std::fmt::Display for Subset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let members: Vec<String> = self.members().map(|member| member.to_string()).collect();
        f.write_str(&members.join(","))
    }
}

impl std::fmt::Debug for Subset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(index: u8) -> NonZeroU8 {
        NonZeroU8::new(index).expect("from 1")
    }

    #[test]
    fn any_threshold_of_holders_meets_every_subset_and_one_less_does_not() {
        for (threshold, holders, count) in [(2, 3, 3), (3, 5, 10), (4, 7, 35), (3, 3, 3)] {
            let sharing = Sharing::new(threshold, holders).expect("good");
            let subsets: Vec<Subset> = sharing.subsets().collect();
            assert_eq!(subsets.len(), count);
            for group in 0..1_u16 << holders {
                let meets = subsets.iter().all(|subset| subset.0 & group != 0);
                assert_eq!(meets, group.count_ones() >= threshold.into(), "{group:b}");
            }
        }
    }

    #[test]
    fn the_polynomial_of_a_subset_is_nothing_outside_it() {
        let sharing = Sharing::new(3, 5).expect("good");
        let subset = sharing.subset("1,2,4").expect("one of them");
        assert_eq!(sharing.weight(subset, holder(3)), Scalar::ZERO);
        assert_eq!(sharing.weight(subset, holder(5)), Scalar::ZERO);
        // (3 - 1)(5 - 1) / (3 * 5)
        assert_eq!(sharing.weight(subset, holder(1)) * Scalar::from(15_u8), Scalar::from(8_u8));
        assert_eq!(sharing.subset("1,2"), None);
    }

    #[test]
    fn a_sharing_in_which_one_holder_has_the_whole_key_is_refused() {
        for (threshold, holders) in [(1, 3), (0, 3), (4, 3), (2, 17), (2, 300)] {
            assert!(Sharing::new(threshold, holders).is_err(), "{threshold} of {holders}");
        }
        assert_eq!(Sharing::new(9, 16).expect("good").subsets().count(), 12870);
    }
}
