//! The household part of a sealed row: a member list that is exactly the capability to check that
//! household (PROTOCOL.md section 8).

use crate::{person_secret::PersonSecret, schema::HouseholdSchema, subject::Member};

/// One member: a pseudonym and the person secrets for the schema's datasets, in its order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEntry {
    /// The pseudonym.
    pub member: Member,
    /// As many as the schema has datasets.
    pub secrets: Vec<PersonSecret>,
}

/// A household as a row holds it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Household {
    /// Everyone in it, the row's own person included, as far as the row has room.
    pub members: Vec<MemberEntry>,
    /// Somebody did not fit: what holds for all members cannot be said.
    pub overflow: bool,
}

/// The decrypted bytes are not a household of this schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the row's household part is not of the declared shape")]
pub struct MalformedHousehold;

impl HouseholdSchema {
    /// Appends exactly [`HouseholdSchema::size`] bytes. Members beyond `max_members` are left out
    /// and the overflow mark is set.
    ///
    /// # Panics
    /// If a member has another number of secrets than the schema has datasets.
    pub fn encode(&self, household: &Household, row: &mut Vec<u8>) {
        let end = row.len() + self.size();
        let room = usize::from(self.max_members);
        let fitting = household.members.iter().take(room);
        let overflow = household.overflow || household.members.len() > room;
        row.push(u8::try_from(fitting.len()).expect("at most max_members, a u8"));
        row.push(overflow.into());
        for entry in fitting {
            assert_eq!(entry.secrets.len(), self.datasets.len(), "secrets follow the schema");
            row.extend_from_slice(&entry.member.0);
            entry.secrets.iter().for_each(|secret| row.extend_from_slice(secret.expose()));
        }
        row.resize(end, 0);
    }

    /// Reads what [`HouseholdSchema::encode`] wrote.
    ///
    /// # Errors
    /// [`MalformedHousehold`] for another length, count or mark, or for padding that is not zero.
    pub fn decode(&self, bytes: &[u8]) -> Result<Household, MalformedHousehold> {
        if bytes.len() != self.size() || bytes[0] > self.max_members || bytes[1] > 1 {
            return Err(MalformedHousehold);
        }
        let (listed, padding) = bytes[2..].split_at(usize::from(bytes[0]) * self.member_size());
        if padding.iter().any(|&byte| byte != 0) {
            return Err(MalformedHousehold);
        }
        let members = listed.chunks_exact(self.member_size()).map(|entry| {
            let (member, secrets) = entry.split_at(16);
            let (secrets, _) = secrets.as_chunks::<32>();
            MemberEntry {
                member: Member(member.try_into().expect("split at 16")),
                secrets: secrets.iter().map(|&bytes| PersonSecret::from_bytes(bytes)).collect(),
            }
        });
        Ok(Household { members: members.collect(), overflow: bytes[1] == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(n: u8) -> MemberEntry {
        let secrets =
            vec![PersonSecret::from_bytes([n; 32]), PersonSecret::from_bytes([n + 1; 32])];
        MemberEntry { member: Member([n; 16]), secrets }
    }

    fn schema() -> HouseholdSchema {
        let datasets = ["cars", "homes"].map(|name| name.parse().expect("a name")).to_vec();
        HouseholdSchema { max_members: 3, datasets }
    }

    #[test]
    fn a_household_survives_the_row_and_a_large_one_is_marked() {
        let mut small = Household { members: vec![entry(1), entry(5)], overflow: false };
        let mut row = vec![];
        schema().encode(&small, &mut row);
        assert_eq!(row.len(), schema().size());
        assert_eq!(schema().decode(&row), Ok(small.clone()));

        small.members.extend([entry(9), entry(13)]);
        row.clear();
        schema().encode(&small, &mut row);
        let large = schema().decode(&row).expect("well formed");
        assert!(large.overflow && large.members.len() == 3);
    }

    #[test]
    fn other_shapes_are_refused() {
        let mut row = vec![];
        schema().encode(&Household::default(), &mut row);
        assert!(schema().decode(&row[1..]).is_err(), "length");
        for (place, byte) in [(0, 4), (1, 2), (40, 1)] {
            let mut changed = row.clone();
            changed[place] = byte;
            assert_eq!(schema().decode(&changed), Err(MalformedHousehold), "byte {place}");
        }
    }
}
