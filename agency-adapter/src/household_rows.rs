//! The household part of a row: for each member a pseudonym and the person secrets that household
//! rules need (PROTOCOL.md section 8).

use proto::{
    household::{Household, MemberEntry},
    name::DatasetId,
    person_secret::PersonSecret,
    salt::Salt,
    schema::{DatasetSchema, HouseholdSchema},
    subject::Member,
};

use crate::{derive::Derivation, identifier::Identifier, load::Person};

/// Derives the member lists of one household dataset.
pub struct HouseholdRows<'l> {
    derivation: &'l Derivation,
    dataset: &'l DatasetId,
    schema: &'l HouseholdSchema,
    salt: &'l Salt,
    /// In the order of the schema's datasets.
    member_salts: Vec<Salt>,
}

impl<'l> HouseholdRows<'l> {
    /// For the household dataset's own salt and the salts of its schema's datasets, in order.
    pub fn new(
        derivation: &'l Derivation,
        dataset: &'l DatasetSchema,
        schema: &'l HouseholdSchema,
        salt: &'l Salt,
        member_salts: Vec<Salt>,
    ) -> Self {
        Self { derivation, dataset: &dataset.dataset, schema, salt, member_salts }
    }

    /// Appends the household of `person`, whose secret for this dataset is `own`: the person first,
    /// then the others in an order that does not change from load to load.
    pub fn append(&self, person: &Person, own: &PersonSecret, row: &mut Vec<u8>) {
        let others = person.household.iter().filter(|other| **other != person.identifier);
        let mut others: Vec<(Member, &Identifier)> =
            others.map(|other| (self.member(other), other)).collect();
        others.sort_unstable_by_key(|&(member, _)| member);
        others.dedup_by_key(|(member, _)| *member);
        let room = usize::from(self.schema.max_members).saturating_sub(1);
        // Somebody who is missing from the file matters as much as somebody who does not fit.
        let overflow = !person.household_complete || others.len() > room;
        others.truncate(room);
        let members = std::iter::once((Member::of(own), &person.identifier))
            .chain(others)
            .map(|(member, identifier)| self.entry(member, identifier))
            .collect();
        self.schema.encode(&Household { members, overflow }, row);
    }

    fn member(&self, identifier: &Identifier) -> Member {
        let root = self.derivation.root(identifier);
        Member::of(&self.derivation.person_secret(&root, self.dataset, self.salt))
    }

    fn entry(&self, member: Member, identifier: &Identifier) -> MemberEntry {
        let root = self.derivation.root(identifier);
        let secrets = self.schema.datasets.iter().zip(&self.member_salts);
        let secrets =
            secrets.map(|(dataset, salt)| self.derivation.person_secret(&root, dataset, salt));
        MemberEntry { member, secrets: secrets.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    fn household(max_members: u8, people: &[u32]) -> Household {
        let derivation = fixture::derivation(1);
        let dataset = fixture::household_schema("residents", max_members, &["cars", "homes"]);
        let schema = dataset.household.as_ref().expect("it has one");
        let (salt, salts) = (fixture::salt(1), vec![fixture::salt(2), fixture::salt(3)]);
        let rows = HouseholdRows::new(&derivation, &dataset, schema, &salt, salts);
        let mut person = fixture::person(1, 0);
        person.household = people.iter().map(|&number| fixture::identifier(number)).collect();
        let own =
            derivation.person_secret(&derivation.root(&person.identifier), &dataset.dataset, &salt);
        let mut row = vec![];
        rows.append(&person, &own, &mut row);
        schema.decode(&row).expect("of the declared shape")
    }

    #[test]
    fn a_household_holds_exactly_the_secrets_that_open_its_members_rows() {
        let household = household(4, &[2, 1]);
        assert_eq!(household.members.len(), 2);
        let derivation = fixture::derivation(1);
        for (entry, number) in household.members.iter().zip([1, 2]) {
            let root = derivation.root(&fixture::identifier(number));
            let secret = |name, salt| {
                derivation.person_secret(&root, &fixture::name(name), &fixture::salt(salt))
            };
            assert_eq!(entry.member, Member::of(&secret("residents", 1)));
            assert_eq!(entry.secrets, [secret("cars", 2), secret("homes", 3)]);
        }
        assert!(!household.overflow);
    }

    #[test]
    fn the_person_comes_first_and_the_order_of_the_file_does_not_matter() {
        assert_eq!(household(4, &[1, 2, 3]), household(4, &[3, 2, 1, 2]));
        let large = household(2, &[4, 3, 2, 1]);
        assert!(large.overflow && large.members.len() == 2);
        assert_eq!(large.members[0], household(1, &[]).members[0], "never left out oneself");
        assert!(!household(1, &[1]).overflow);
    }

    #[test]
    fn a_household_of_which_the_file_does_not_say_all_is_marked() {
        let derivation = fixture::derivation(1);
        let dataset = fixture::household_schema("residents", 2, &[]);
        let schema = dataset.household.as_ref().expect("it has one");
        let salt = fixture::salt(1);
        let rows = HouseholdRows::new(&derivation, &dataset, schema, &salt, vec![]);
        let mut person = fixture::person(1, 0);
        person.household_complete = false;
        let mut row = vec![];
        rows.append(&person, &PersonSecret::from_bytes([1; 32]), &mut row);
        assert!(schema.decode(&row).expect("of the declared shape").overflow);
    }
}
