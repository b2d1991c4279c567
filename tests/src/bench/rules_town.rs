//! A synthetic base of any size: what every dataset says of everybody follows from the person's number,
//! so that columns, plain bitsets and tables for others all come from one place. It knows no unknowns:
//! others cannot say them.

use std::{collections::BTreeSet, fmt::Write, fs, path::Path, sync::Arc};

use anyhow::Context;
use gateway::{
    bitset::Bitset,
    catalogue::CatalogueDataset,
    columns::DatasetColumns,
    facts::{DatasetFacts, Facts, HouseholdFacts},
    lists::Lists,
    policy::Policy,
    rule::Rule,
};
use proto::schema::DatasetKind;

/// Of 64 in the base, whom a data line lists, where it is not another number.
const LISTED: u64 = 20;
/// Of 64, whom a second category lists.
const SECOND: u64 = 8;
/// Sizes of households, of 16.
const SIZES: [u32; 16] = [1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 5, 6];

/// The base.
pub struct Town {
    datasets: Vec<Dataset>,
    people: usize,
    households: Lists,
    complete: Bitset,
    household: Option<usize>,
}

struct Dataset {
    catalogue: CatalogueDataset,
    number: u64,
    /// The place among the categories, of a watch dataset.
    category: Option<usize>,
    categories: usize,
    subjects: DatasetColumns,
    members: Option<DatasetColumns>,
}

/// A number that looks random and always is the same.
fn chance(seed: u64) -> u64 {
    let mut mixed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

/// Whether a number is in a plain set.
pub fn has(words: &[u64], number: usize) -> bool {
    words[number / 64] >> (number % 64) & 1 == 1
}

impl Town {
    /// A base about which these rules may ask.
    ///
    /// # Errors
    /// Where rows do not fit the policy: never.
    pub fn new(policy: &Policy, rules: &[Arc<Rule>], people: usize) -> anyhow::Result<Self> {
        let mut households = Lists::default();
        let mut members = 0;
        for subject in 0..people {
            let size = SIZES[chance(subject as u64) as usize % SIZES.len()];
            let list: Vec<u32> = (members..members + size).collect();
            households.replace(subject, &list);
            members += size;
        }
        let asked: BTreeSet<usize> = rules.iter().flat_map(|rule| rule.datasets()).collect();
        let catalogue = &policy.catalogue;
        let household = catalogue.household();
        let readable = household.and_then(|it| catalogue.datasets[it].schema.household.clone());
        let readable = readable.map(|schema| schema.datasets).unwrap_or_default();
        let is_watch = |it: &&CatalogueDataset| it.schema.kind == DatasetKind::Watch;
        let categories = catalogue.datasets.iter().filter(is_watch).count();
        let mut datasets = vec![];
        for (number, dataset) in catalogue.datasets.iter().enumerate() {
            let before = catalogue.datasets[..number].iter().filter(is_watch).count();
            let mut dataset = Dataset {
                catalogue: dataset.clone(),
                number: number as u64,
                category: is_watch(&dataset).then_some(before),
                categories,
                subjects: DatasetColumns::new(&dataset.schema),
                members: None,
            };
            if asked.contains(&number) {
                dataset.fill(people, members as usize, &readable)?;
            }
            datasets.push(dataset);
        }
        let complete = Bitset::filled(people, true);
        Ok(Self { datasets, people, households, complete, household })
    }

    /// How many there are.
    pub fn people(&self) -> usize {
        self.people
    }

    /// The members of somebody's household.
    pub fn household(&self, subject: usize) -> &[u32] {
        self.households.of(subject)
    }

    /// Everything rules may read.
    pub fn facts(&self) -> Facts<'_> {
        let datasets = self.datasets.iter();
        Facts {
            subjects: self.people,
            datasets: datasets
                .clone()
                .map(|it| DatasetFacts { columns: &it.subjects, fresh: true })
                .collect(),
            household: self.household.map(|_| HouseholdFacts {
                members: &self.households,
                complete: &self.complete,
                columns: datasets.map(|it| it.members.as_ref()).collect(),
                fresh: true,
                answers: None,
            }),
        }
    }

    /// Subjects of whom a flag has this value or a higher one.
    pub fn subjects_with(&self, dataset: &str, flag: &str, least: u8) -> Vec<u64> {
        self.with(dataset, flag, least, self.people, Dataset::row)
    }

    /// Members of whom it has.
    pub fn members_with(&self, dataset: &str, flag: &str, least: u8) -> Vec<u64> {
        let members = self.households.of(self.people - 1).last().map_or(0, |&last| last + 1);
        self.with(dataset, flag, least, members as usize, Dataset::member_row)
    }

    fn with(
        &self,
        dataset: &str,
        flag: &str,
        least: u8,
        people: usize,
        row: impl Fn(&Dataset, usize, usize) -> Option<Vec<u8>>,
    ) -> Vec<u64> {
        let dataset = self.dataset(dataset).expect("a dataset of the policy");
        let (place, _) = dataset.catalogue.schema.flag(flag).expect("a flag of the policy");
        let mut words = vec![0; people.div_ceil(64)];
        for person in 0..people {
            if row(dataset, person, self.people).is_some_and(|row| row[place] >= least) {
                words[person / 64] |= 1 << (person % 64);
            }
        }
        words
    }

    fn dataset(&self, id: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|it| it.catalogue.schema.dataset.as_str() == id)
    }

    /// Writes the tables that the one rule asks, with a header each: of subjects, of members, and who
    /// lives with whom.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, directory: &Path) -> anyhow::Result<()> {
        let mut text = "person,member\n".to_owned();
        for subject in 0..self.people {
            for member in self.household(subject) {
                writeln!(text, "{subject},{member}")?;
            }
        }
        fs::write(directory.join("household.csv"), text)?;
        let asked = self.datasets.iter().filter(|it| !it.subjects.is_empty());
        for dataset in asked.filter(|it| !it.catalogue.schema.flags.is_empty()) {
            let name = dataset.catalogue.schema.dataset.as_str();
            let text = dataset.table(self.people, self.people, Dataset::row)?;
            fs::write(directory.join(format!("{name}.csv")), text)?;
        }
        let dataset = self.dataset("vehicle_registration").context("a dataset of the policy")?;
        let members = dataset.members.as_ref().map_or(0, DatasetColumns::len);
        let text = dataset.table(members, self.people, Dataset::member_row)?;
        Ok(fs::write(directory.join("members_vehicle_registration.csv"), text)?)
    }
}

impl Dataset {
    fn fill(
        &mut self,
        people: usize,
        members: usize,
        readable: &[proto::name::DatasetId],
    ) -> anyhow::Result<()> {
        self.subjects.grow(people);
        for person in 0..people {
            if let Some(row) = self.row(person, people) {
                self.subjects.set_flags(person, Some(&row))?;
            }
        }
        if readable.contains(&self.catalogue.schema.dataset) {
            let mut columns = DatasetColumns::new(&self.catalogue.schema);
            columns.grow(members);
            for member in 0..members {
                if let Some(row) = self.member_row(member, people) {
                    columns.set_flags(member, Some(&row))?;
                }
            }
            self.members = Some(columns);
        }
        Ok(())
    }

    /// What it says of a subject. Subjects are numbered category by category, as they are released.
    fn row(&self, person: usize, people: usize) -> Option<Vec<u8>> {
        let drawn = chance(person as u64 * 64 + self.number);
        let listed = match self.category {
            Some(category) => {
                let second =
                    drawn % 64 < SECOND && drawn / 64 % self.categories as u64 == category as u64;
                person * self.categories / people == category || second
            }
            None => drawn % 64 < self.listed(),
        };
        listed.then(|| self.flags(drawn))
    }

    /// What it says of a member of a household.
    fn member_row(&self, member: usize, _people: usize) -> Option<Vec<u8>> {
        let drawn = chance((1 << 40) + member as u64 * 64 + self.number);
        (drawn % 64 < self.listed()).then(|| self.flags(drawn))
    }

    fn listed(&self) -> u64 {
        match self.catalogue.schema.dataset.as_str() {
            "death_cancellation" | "funeral_cremation" => 1,
            _ => LISTED,
        }
    }

    fn flags(&self, drawn: u64) -> Vec<u8> {
        let flags = self.catalogue.schema.flags.iter().enumerate();
        let value = |(place, flag): (usize, &proto::schema::FlagSchema)| {
            let drawn = chance(drawn ^ place as u64) % flag.kind.value_count() as u64;
            u8::try_from(drawn).expect("few values")
        };
        flags.map(value).collect()
    }

    fn table(
        &self,
        count: usize,
        people: usize,
        row: impl Fn(&Self, usize, usize) -> Option<Vec<u8>>,
    ) -> anyhow::Result<String> {
        let mut text = "person".to_owned();
        for flag in &self.catalogue.schema.flags {
            write!(text, ",{}", flag.name)?;
        }
        text.push('\n');
        for person in 0..count {
            let Some(row) = row(self, person, people) else { continue };
            write!(text, "{person}")?;
            for value in row {
                write!(text, ",{value}")?;
            }
            text.push('\n');
        }
        Ok(text)
    }
}
