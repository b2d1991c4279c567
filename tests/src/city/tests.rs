//! What the city promises those who test with it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use jiff::civil::{Date, date};

use super::{
    City,
    catalogue::{dataset, datasets},
    number::{COUNTY, PERMITS, with_check},
    truth::UNKNOWN,
    write::FileCounts,
};
use crate::oracle::{Outcome, PersonId, expected};

const POLICY: &str = include_str!("../../../deploy/policy/default.toml");
const HELP: &str = "help-requested";
const TODAY: Date = date(2026, 3, 1);

fn city(population: usize, seed: u64) -> City {
    City::generate(population, seed, TODAY)
}

fn written(city: &City) -> (BTreeMap<String, Vec<u8>>, BTreeMap<&'static str, FileCounts>) {
    let dir = tempfile::tempdir().expect("a directory");
    let counts = city.write_sources(dir.path()).expect("written");
    let files = datasets().map(|d| {
        let path = dir.path().join(d.agency).join("data").join(format!("{}.csv", d.id));
        (d.id.to_owned(), fs::read(path).expect("a file for every dataset"))
    });
    (files.collect(), counts)
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_seed_others() {
    let (first, counts) = written(&city(1000, 3));
    assert_eq!((&first, &counts), (&written(&city(1000, 3)).0, &written(&city(1000, 3)).1));
    assert_ne!(first, written(&city(1000, 4)).0);
}

#[test]
fn residents_have_different_good_numbers_of_nobody() {
    let city = city(4000, 7);
    let ids: BTreeSet<_> = city.residents().map(|r| r.id.as_str()).collect();
    assert_eq!(ids.len(), 4000);
    for id in ids {
        assert_eq!(with_check(&id[..17]), id);
        assert!(id.starts_with(COUNTY) || PERMITS.contains(&id));
        assert!(!id.ends_with("000"));
    }
}

#[test]
fn one_in_eighteen_is_in_the_base_and_all_categories_are_used() {
    let city = city(20_000, 1);
    let base = city.base().count();
    assert!((1000..1300).contains(&base), "{base}");
    let listings: usize = city.base().map(|r| r.listings.len()).sum();
    assert!(listings > base * 5 / 4, "categories overlap: {listings} of {base}");
    for dataset in datasets() {
        let people = city.flag_bytes(dataset).len();
        assert!(people >= 5, "{} lists {people}", dataset.id);
    }
    let large =
        city.world(PersonId::clone).households.values().filter(|home| !home.complete).count();
    assert!((20..400).contains(&large), "people in large households: {large}");
}

#[test]
fn files_are_in_two_encodings_and_hold_every_kind_of_dirt() {
    let (files, counts) = written(&city(4000, 7));
    let utf8 = files.iter().filter(|(_, bytes)| std::str::from_utf8(bytes).is_ok()).count();
    assert!(
        (8..25).contains(&utf8),
        "the others are in GB18030 or hold bytes of no encoding: {utf8}"
    );
    assert!(files["tax_declaration"].starts_with("\u{FEFF}身份证号,".as_bytes()));
    let (text, _) =
        encoding_rs::GB18030.decode_without_bom_handling(&files["vehicle_registration"]);
    assert!(text.starts_with("身份证号,姓名,联系电话,住址,使用性质,购置价格\r\n"));
    let mut reasons = BTreeMap::new();
    for (reason, count) in counts.values().flat_map(|count| &count.refused) {
        *reasons.entry(*reason).or_insert(0) += count;
    }
    assert_eq!(reasons.len(), 11, "{reasons:?}");
    let upgraded: usize = counts.values().map(|count| count.upgraded).sum();
    assert!(upgraded > 20, "{upgraded}");
    for (id, bytes) in &files {
        let cells = bytes.split(|byte| matches!(byte, b',' | b';' | b'\n'));
        let damaged = cells.filter(|cell| cell.len() > 11 && cell.ends_with(b"000")).count();
        assert!(damaged * 200 <= counts[id.as_str()].rows, "{id} looks damaged by Excel");
    }
}

#[test]
fn rare_combinations_are_coarser_or_have_no_coarser_form() {
    let mut city = city(20_000, 1);
    let disabled = dataset("severe_disability");
    let is_group = |row: &Vec<u8>| (8..UNKNOWN).contains(&row[1]);
    assert!(city.flag_bytes(disabled).values().any(is_group), "sight, hearing or speech");
    let vehicles = city.flag_bytes(dataset("vehicle_registration"));
    assert!(vehicles.values().any(|row| *row == [UNKNOWN; 2]), "only old numbers");
    city.set_k_threshold(1);
    assert!(!city.flag_bytes(disabled).values().any(is_group));
}

/// Outcomes by rule: alerts, pending, covered, over means.
fn tally(city: &City) -> BTreeMap<String, [usize; 4]> {
    let mut tally = BTreeMap::<String, [usize; 4]>::new();
    for ((_, rule), outcome) in expected(city, POLICY, &BTreeSet::new(), PersonId::clone) {
        let place = match outcome {
            Outcome::Alert => 0,
            Outcome::Pending => 1,
            Outcome::Covered => 2,
            Outcome::OverMeans => 3,
            Outcome::Held => panic!("nothing is stale"),
        };
        tally.entry(rule).or_default()[place] += 1;
    }
    tally
}

#[test]
fn every_rule_of_the_default_policy_has_every_outcome() {
    for (population, seed) in [(20_000, 1), (20_000, 2), (4_000, 7)] {
        let tally = tally(&city(population, seed));
        assert_eq!(tally.len(), 10, "{tally:?}");
        // Whoever asks for help is heard, whatever they own.
        let means = |rule: &str| rule != HELP;
        let sum = |place: usize| tally.values().map(|counts| counts[place]).sum::<usize>();
        let warned: usize = (0..4).map(sum).sum();
        let both = |(rule, counts): (&String, &[usize; 4])| {
            counts[2] > 0 && (counts[3] > 0) == means(rule)
        };
        assert!(tally.iter().all(both), "{tally:?}");
        assert!(tally.values().filter(|counts| counts[0] > 0).count() >= 9, "{tally:?}");
        assert!(sum(0) * 100 >= warned * 2 && sum(0) * 100 <= warned * 12, "{tally:?}");
        assert!(sum(1) >= 1 && sum(1) * 100 <= warned * 6, "{tally:?}");
        if population == 20_000 {
            assert!(tally.values().all(|counts| counts[0] > 0), "{tally:?}");
        }
    }
}

#[test]
fn a_changed_city_differs_where_it_changed() {
    let city = city(4000, 7);
    let next = city.next_day(1);
    let before = city.flag_bytes(dataset("tax_declaration"));
    assert_eq!(before, next.flag_bytes(dataset("tax_declaration")));
    let jobless = |city: &City| city.flag_bytes(dataset("registered_unemployed"));
    assert!(jobless(&next).len() > jobless(&city).len());
    let fresh = BTreeSet::new();
    assert_ne!(
        expected(&city, POLICY, &fresh, PersonId::clone),
        expected(&next, POLICY, &fresh, PersonId::clone)
    );

    let mut changed = city.clone();
    let (id, rule) = expected(&city, POLICY, &fresh, PersonId::clone)
        .into_iter()
        .find_map(|(key, outcome)| (outcome == Outcome::Alert).then_some(key))
        .expect("somebody is in need");
    changed.die(&id);
    let after = expected(&changed, POLICY, &fresh, PersonId::clone);
    let outcome = after.get(&(id, rule));
    assert!(matches!(outcome, Some(Outcome::Covered | Outcome::Pending)), "{outcome:?}");
}
