//! Policies are read as a whole or refused with the place and the way to mend it.

use gateway::{
    catalogue::Catalogue,
    expression::Tree,
    policy::{Policy, PolicyError},
};
use proto::schema::DatasetKind;

const DEFAULT: &str = include_str!("../../deploy/policy/default.toml");

const SMALL: &str = include_str!("small_policy.toml");

fn small() -> Policy {
    Policy::parse(SMALL).expect("the small policy is good")
}

fn rule_fault(error: &PolicyError) -> (usize, usize, &str) {
    (error.line, error.column, &error.sentence)
}

#[test]
fn the_default_policy_has_everything_that_it_promises() {
    let policy = Policy::parse(DEFAULT).expect("the default policy is good");
    let Catalogue { agencies, situations, measures, datasets } = &*policy.catalogue;
    let of = |kind| datasets.iter().filter(|dataset| dataset.schema.kind == kind).count();
    assert_eq!((agencies.len(), situations.len(), measures.len()), (19, 4, 10));
    assert_eq!((of(DatasetKind::Watch), of(DatasetKind::CrossCheck)), (33, 17));
    assert_eq!(policy.rules.len(), 10);
    assert_eq!(policy.version, *blake3::hash(DEFAULT.as_bytes()).as_bytes());
    let household = policy.catalogue.household().expect("it has households");
    assert_eq!(datasets[household].schema.dataset.as_str(), "household_registration");
    assert!(policy.rules[0].datasets().contains(&household), "its means ask the household");
    assert_eq!(policy.catalogue.situation("job_loss").expect("it is there").zh, "失业");
}

#[test]
fn an_expression_reads_as_it_was_written() {
    let policy = Policy::parse(DEFAULT).expect("the default policy is good");
    for rule in &policy.rules {
        for part in [Some(&rule.when), rule.unless.as_ref(), rule.means.as_ref()] {
            let Some(part) = part else { continue };
            let same = |text: &str| text.replace(['(', ')'], "");
            assert_eq!(same(&part.tree.to_string()), same(&part.source));
        }
    }
}

#[test]
fn an_edge_of_a_band_decides_each_exact_value() {
    let masks = |expression: &str| {
        let text = SMALL.replace("aid.ill && aid.ill.paid >= 5000", expression);
        let policy = Policy::parse(&text).expect("it is good");
        match &policy.rules[0].when.tree {
            Tree::Predicate(predicate) => (predicate.true_values, predicate.false_values),
            other => panic!("{other} is no predicate"),
        }
    };
    assert_eq!(masks("aid.ill.paid < 5000"), (0b001, 0b110));
    assert_eq!(masks("aid.ill.paid <= 4999"), (0b001, 0b110));
    assert_eq!(masks("aid.ill.paid >= 20000"), (0b100, 0b011));
    assert_eq!(masks("aid.ill.paid > 19999"), (0b100, 0b011));
    assert_eq!(masks("register.status != 'local'"), (0b101, 0b010));
    assert_eq!(masks("register.status in ['local', 'none']"), (0b011, 0b100));
    assert_eq!(masks("cars.over"), (0b10, 0b01));
    assert_eq!(masks("aid.ill"), (0b10, 0b01));
}

#[test]
fn equality_with_a_number_needs_a_band_of_just_that_number() {
    let policy = Policy::parse(DEFAULT).expect("the default policy is good");
    let rule = |when: &str| {
        policy.parse_rule(&format!(
            "id = 'x'\nzh = '试'\nen = 'Try'\nsituation = 'job_loss'\nassist = []\ndue = '1h'\n\
             when = \"{when}\""
        ))
    };
    assert!(rule("real_estate_registration.homes == 1").is_ok());
    for open in ["real_estate_registration.homes == 0", "real_estate_registration.homes != 2"] {
        let error = rule(open).expect_err("these bands have no end");
        assert_eq!((error.line, error.column), (7, 43));
        let expected = format!(
            "`{open}` is true of some numbers of a band and false of others; \
             expected `<` or `>=` with an edge: 1, 2"
        );
        assert_eq!(error.sentence, expected);
    }
}

#[test]
fn a_rule_is_tried_out_alone_and_its_version_is_that_of_its_content() {
    let policy = small();
    let text = &SMALL[SMALL.find("[[rule]]").expect("it has one")..];
    let again = policy.parse_rule(text).expect("the same rule");
    assert_eq!(again, *policy.rules[0]);
    let bare = policy.parse_rule(text.trim_start_matches("[[rule]]")).expect("without its header");
    assert_eq!(bare.version, again.version);
    let mut versions = vec![again.version];
    for (piece, other) in [
        ("第一", "一"),
        (">= 5000", ">= 20000"),
        ("unless = \"register.status in ['local', 'moved']\"", ""),
        ("[\"visit\"]", "[]"),
        ("72h", "71h"),
    ] {
        let rule = policy.parse_rule(&text.replace(piece, other)).expect("a good change");
        assert!(!versions.contains(&rule.version), "{piece} counts");
        versions.push(rule.version);
    }
}

#[test]
fn a_rule_tried_out_alone_is_refused_at_its_own_place() {
    let policy = small();
    let text = &SMALL[SMALL.find("[[rule]]").expect("it has one")..];
    let two = policy.parse_rule(&[text, text].concat()).expect_err("two rules");
    assert_eq!(rule_fault(&two), (12, 6, "this is a second rule; expected one"));
    let wrong = policy.parse_rule(&text.replace("aid.ill &&", "aid.il &&")).expect_err("a slip");
    assert_eq!(
        rule_fault(&wrong),
        (6, 13, "there is no watch dataset of aid `il`; did you mean `ill`?")
    );
    let key = policy.parse_rule(&text.replace("unless", "unles")).expect_err("a slip");
    assert_eq!(rule_fault(&key), (7, 1, "there is no key `unles` here; did you mean `unless`?"));
}
