//! The base by and by: what is known, what is not yet, and what no longer is.

use gateway::{
    base::Base,
    facts::Reading,
    policy::Policy,
    rows::{Changed, Rows},
};
use proto::{
    household::{Household, MemberEntry},
    subject::Member,
};

use crate::fixture::{SMALL, batch, now, register, release, schema, scope, secret, subject};

struct Bureau {
    _directory: tempfile::TempDir,
    policy: Policy,
    rows: Rows,
    base: Base,
}

/// Whether an expression can be true, and whether it can be false.
const TRUE: (bool, bool) = (true, false);
const FALSE: (bool, bool) = (false, true);
const UNKNOWN: (bool, bool) = (true, true);

impl Bureau {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let policy = Policy::parse(SMALL).expect("good");
        let rows = Rows::open(&directory.path().join("rows"), &scope()).expect("opens");
        let mut base = Base::new(&scope(), policy.catalogue.clone());
        base.catch_up(&rows).expect("nothing to read");
        Self { _directory: directory, policy, rows, base }
    }

    fn snapshot(&mut self, dataset: &str, to: u32, people: &[(u8, Option<Vec<u8>>)]) {
        let (batch, columns) = batch(dataset, None, to, people);
        let mut staging = self.rows.stage(&schema(dataset)).expect("staged");
        staging.append(&columns).expect("taken");
        let (_, changed) = staging.commit(&batch).expect("committed");
        self.told(dataset, &changed);
    }

    fn delta(&mut self, dataset: &str, from: u32, people: &[(u8, Option<Vec<u8>>)]) {
        let (delta, _) = batch(dataset, Some(from), from + 1, people);
        let (_, changed) = self.rows.apply(&schema(dataset), &delta).expect("applied");
        self.told(dataset, &changed);
    }

    fn told(&mut self, dataset: &str, changed: &Changed) {
        let dataset = dataset.parse().expect("a name");
        self.base.rows_changed(&dataset, changed, &self.rows).expect("read");
    }

    fn release(&mut self, from: Option<u32>, secrets_for: &[&str], people: &[(u8, Option<u8>)]) {
        let to = from.map_or(1, |from| from + 1);
        let release = release(from, to, secrets_for, people).expect("good");
        self.base.release(release, &self.rows).expect("read");
    }

    fn ask(&mut self, person: u8, condition: &str) -> (bool, bool) {
        let rule = SMALL[SMALL.find("[[rule]]").expect("one")..]
            .replace("aid.ill && aid.ill.paid >= 5000", condition);
        let rule = self.policy.parse_rule(&rule).expect("good");
        let truths = rule.when.run(&self.base.facts(now()), Reading::Strict);
        let number = self.base.number(&subject(person)).expect("met") as usize;
        (truths.can_true.get(number), truths.can_false.get(number))
    }
}

fn household(people: &[u8], overflow: bool) -> Household {
    let entry =
        |&person: &u8| MemberEntry { member: Member([person; 16]), secrets: vec![secret(person)] };
    Household { members: people.iter().map(entry).collect(), overflow }
}

#[test]
fn a_line_that_never_came_or_has_no_secret_is_unknown_and_an_absent_row_is_a_no() {
    let mut bureau = Bureau::new();
    bureau.release(None, &["cars"], &[(1, Some(1)), (2, Some(1))]);
    assert_eq!(bureau.ask(1, "cars.over"), UNKNOWN, "nothing came yet");
    bureau.snapshot("cars", 1, &[(1, Some(vec![1]))]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, "cars.over")), [TRUE, FALSE]);
    assert_eq!(bureau.ask(1, "register.status == 'local'"), UNKNOWN, "nobody may ask");
    bureau.delta("cars", 1, &[(1, None), (2, Some(vec![1]))]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, "cars.over")), [FALSE, TRUE]);
    bureau.snapshot("cars", 9, &[]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, "cars.over")), [FALSE, FALSE]);
}

#[test]
fn whoever_leaves_the_list_takes_the_secrets_along_and_brings_them_back() {
    let mut bureau = Bureau::new();
    bureau.snapshot("cars", 1, &[(1, Some(vec![1])), (2, Some(vec![0]))]);
    bureau.release(None, &["cars"], &[(1, Some(1)), (2, Some(1))]);
    assert_eq!(bureau.ask(1, "aid.ill && cars.over"), TRUE);
    bureau.release(Some(1), &["cars"], &[(1, None)]);
    assert_eq!(bureau.ask(1, "aid.ill"), FALSE);
    assert_eq!(bureau.ask(1, "cars.over"), UNKNOWN, "the secret is gone");
    assert_eq!(bureau.ask(2, "cars.over"), FALSE, "the other stays");
    bureau.release(Some(2), &["cars"], &[(1, Some(0))]);
    assert_eq!(bureau.ask(1, "aid.ill && cars.over"), TRUE);
    bureau.release(None, &[], &[(1, Some(1))]);
    assert_eq!(bureau.ask(1, "cars.over"), UNKNOWN, "the agency's grant is gone");
    assert_eq!([1, 2].map(|person| bureau.ask(person, "aid.ill")), [TRUE, FALSE]);
}

#[test]
fn members_are_seen_through_a_household_for_as_long_as_it_names_them() {
    let mut bureau = Bureau::new();
    let rich = "household.exists(m, m.cars.over)";
    bureau.snapshot("cars", 1, &[(5, Some(vec![1])), (6, Some(vec![0]))]);
    bureau.release(None, &["register"], &[(1, Some(1)), (2, Some(1))]);
    assert_eq!(bureau.ask(1, rich), UNKNOWN, "no household row yet");
    let row = |people: &[u8]| Some(register(1, &household(people, false)));
    bureau.snapshot("register", 1, &[(1, row(&[1, 5])), (2, row(&[2, 5, 6]))]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, rich)), [TRUE, TRUE]);
    bureau.delta("register", 1, &[(1, row(&[1, 6]))]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, rich)), [FALSE, TRUE]);
    bureau.delta("cars", 1, &[(5, Some(vec![0])), (6, Some(vec![1]))]);
    assert_eq!([1, 2].map(|person| bureau.ask(person, rich)), [TRUE, TRUE]);
    bureau.delta("register", 2, &[(1, Some(register(1, &household(&[1], true))))]);
    assert_eq!(bureau.ask(1, rich), UNKNOWN, "somebody did not fit");
    bureau.delta("register", 3, &[(2, None)]);
    assert_eq!(bureau.ask(2, rich), UNKNOWN, "no row is no household");
}

#[test]
fn rows_under_another_catalogue_say_nothing_until_they_are_sent_anew() {
    let mut bureau = Bureau::new();
    bureau.snapshot("cars", 1, &[(1, Some(vec![1]))]);
    let renamed = SMALL.replace("name = \"over\"", "name = \"small\"");
    let renamed = renamed.replace("m.cars.over", "m.cars.small");
    bureau.policy = Policy::parse(&renamed).expect("good");
    bureau.base = Base::new(&scope(), bureau.policy.catalogue.clone());
    bureau.base.catch_up(&bureau.rows).expect("read");
    bureau.release(None, &["cars"], &[(1, Some(1))]);
    let rule = SMALL[SMALL.find("[[rule]]").expect("one")..]
        .replace("aid.ill && aid.ill.paid >= 5000", "cars.small")
        .replace("m.cars.over", "m.cars.small");
    let rule = bureau.policy.parse_rule(&rule).expect("good");
    let truths = rule.when.run(&bureau.base.facts(now()), Reading::Strict);
    assert!(truths.can_true.get(0) && truths.can_false.get(0));
}
