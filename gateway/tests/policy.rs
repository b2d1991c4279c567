//! Policies are read as a whole or refused with the place and the way to mend it.

use gateway::{
    catalogue::Catalogue,
    expression::Tree,
    policy::{Policy, PolicyError},
};
use proto::schema::DatasetKind;

const DEFAULT: &str = include_str!("../../deploy/policy/default.toml");

const SMALL: &str = r#"[programme]
id = "small"
zh = "小"
en = "Small"
pending_deadline = "72h"

[[agency]]
id = "aid"
zh = "救助"
en = "Aid"

[[agency]]
id = "police"
zh = "公安"
en = "Police"

[[situation]]
id = "illness"
zh = "因病"
en = "Illness"

[[measure]]
id = "visit"
zh = "探访"
en = "Visit"

[[dataset]]
id = "ill"
agency = "aid"
kind = "watch"
fresh_within = "48h"
zh = "患病"
en = "Ill"

[[dataset.flag]]
name = "paid"
zh = "自付"
en = "Paid"
bands = [0, 5000, 20000]

[[dataset]]
id = "register"
agency = "police"
kind = "cross_check"
fresh_within = "48h"
zh = "户籍"
en = "Register"

[[dataset.flag]]
name = "status"
zh = "状态"
en = "Status"
values = ["none", "local", "moved"]
coarser = [[1, 2]]

[dataset.household]
max_members = 3
datasets = ["cars"]

[[dataset]]
id = "cars"
agency = "police"
kind = "cross_check"
fresh_within = "48h"
zh = "车辆"
en = "Cars"

[[dataset.flag]]
name = "over"
zh = "超标"
en = "Over"

[[rule]]
id = "first"
zh = "第一"
en = "First"
situation = "illness"
when = "aid.ill && aid.ill.paid >= 5000"
unless = "register.status in ['local', 'moved']"
means = "!household.exists(m, m.cars.over)"
assist = ["visit"]
due = "72h"
"#;

fn small() -> Policy {
    Policy::parse(SMALL).expect("the small policy is good")
}

/// The fault of the small policy with one piece of it replaced.
fn fault(piece: &str, replacement: &str) -> String {
    assert_eq!(SMALL.matches(piece).count(), 1, "`{piece}` should be there once");
    let error = Policy::parse(&SMALL.replace(piece, replacement)).expect_err("it is faulty");
    error.to_string()
}

/// The fault of an expression in place of the first rule's `when`, after its line.
fn when_fault(expression: &str) -> String {
    let text = fault("aid.ill && aid.ill.paid >= 5000", expression);
    let rest = text.strip_prefix("line 78, ").expect("it is told on the expression's line");
    rest.to_owned()
}

fn rule_fault(error: &PolicyError) -> (usize, usize, &str) {
    (error.line, error.column, &error.sentence)
}

#[test]
fn the_default_policy_has_everything_that_it_promises() {
    let policy = Policy::parse(DEFAULT).expect("the default policy is good");
    let Catalogue { agencies, situations, measures, datasets } = &*policy.catalogue;
    let of = |kind| datasets.iter().filter(|dataset| dataset.schema.kind == kind).count();
    assert_eq!((agencies.len(), situations.len(), measures.len()), (18, 4, 10));
    assert_eq!((of(DatasetKind::Watch), of(DatasetKind::CrossCheck)), (32, 17));
    assert_eq!(policy.rules.len(), 8);
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

#[test]
fn faults_of_the_catalogue_say_where_and_what() {
    let cases = [
        (
            "en = \"Aid\"",
            "enn = \"Aid\"",
            "line 10, column 1: there is no key `enn` here; did you mean `en`?",
        ),
        (
            "id = \"police\"",
            "id = \"aid\"",
            "line 13, column 6: there already is an agency `aid`; expected another name",
        ),
        (
            "agency = \"aid\"",
            "agency = \"aide\"",
            "line 29, column 10: there is no agency `aide`; did you mean `aid`?",
        ),
        (
            "kind = \"watch\"",
            "kind = \"wach\"",
            "line 30, column 8: there is no value `wach` here; did you mean `watch`?",
        ),
        (
            "id = \"ill\"",
            "id = \"Ill\"",
            "line 28, column 6: a name is 1 to 64 characters from a-z, 0-9, '_' and '-', and starts with a letter; this one is not",
        ),
        (
            "id = \"ill\"",
            "id = \"police\"",
            "line 28, column 6: `police` is an agency; expected another name for the dataset",
        ),
        (
            "[0, 5000, 20000]",
            "[0, 20000, 5000]",
            "line 39, column 9: dataset ill: flag paid has bands that do not ascend",
        ),
        (
            "[[1, 2]]",
            "[[1, 3]]",
            "line 54, column 11: dataset register: flag status has a coarser group that is not two or more of its values",
        ),
        (
            "datasets = [\"cars\"]",
            "datasets = [\"car\"]",
            "line 58, column 13: there is no cross-check dataset `car`; did you mean `cars`?",
        ),
        (
            "max_members = 3",
            "max_members = 0",
            "line 57, column 15: dataset register: household max_members must be 1 to 64",
        ),
        (
            "pending_deadline = \"72h\"",
            "pending_deadline = \"soon\"",
            "line 5, column 20: `soon` is no duration; expected hours or minutes, as in `72h`",
        ),
        (
            "situation = \"illness\"",
            "situation = \"war\"",
            "line 77, column 13: there is no situation `war`; expected `illness`",
        ),
        (
            "assist = [\"visit\"]",
            "assist = [\"visit\", \"vist\"]",
            "line 81, column 20: there is no measure `vist`; did you mean `visit`?",
        ),
        ("due = \"72h\"", "", "line 73, column 1: the key `due` is missing here"),
    ];
    let toml = [
        ("[[agency]]\nid = \"aid\"", "[[agency]\nid = \"aid\"", "?"),
        ("max_members = 3", "max_members = \"3\"", "?"),
        ("max_members = 3", "max_members = 300", "?"),
        ("due = \"72h\"", "due = \"72h\"\ndue = \"72h\"", "?"),
        ("due = \"72h\"", "due = \"-1h\"", "?"),
        ("due = \"72h\"", "due = 72", "?"),
        ("due = \"72h\"", "due = ", "?"),
        ("coarser = [[1, 2]]", "coarser = [[1, 2]]\nbands = [0, 1]", "?"),
        ("fresh_within = \"48h\"\nzh = \"车辆\"", "fresh_within = \"2d\"\nzh = \"车辆\"", "?"),
    ];
    for (piece, replacement, expected) in toml {
        eprintln!("{}", fault(piece, replacement));
    }
    for (piece, replacement, expected) in cases {
        assert_eq!(fault(piece, replacement), expected);
    }
    let twice = Policy::parse(&[SMALL, &SMALL[SMALL.find("[[rule]]").expect("one")..]].concat());
    let expected = "line 84, column 6: there already is a rule `first`; expected another name";
    assert_eq!(twice.expect_err("two rules of one name").to_string(), expected);
}

#[test]
fn faults_of_an_expression_are_told_inside_it() {
    let cases = [
        ("aid.ill.payd >= 5000", "column 17: there is no flag of ill `payd`; did you mean `paid`?"),
        (
            "aid.ill.paid",
            "column 9: `aid.ill.paid` is a number; expected a comparison, as in `aid.ill.paid < 2`",
        ),
        (
            "aid.ill && register.status",
            "column 20: `register.status` has names; expected a comparison, as in `register.status == 'moved'`",
        ),
        (
            "aid.ill.paid >= 6000",
            "column 25: `aid.ill.paid >= 6000` is true of some numbers of a band and false of others; expected `<` or `>=` with an edge: 5000, 20000",
        ),
        (
            "aid.ill.paid >= '5000'",
            "column 25: expected a whole number to compare `aid.ill.paid` with",
        ),
        (
            "cars.over == true",
            "column 19: `cars.over` is yes or no; expected it bare, or `!cars.over`",
        ),
        (
            "register.status < 'local'",
            "column 25: the names of `register.status` have no order; expected `==`, `!=` or `in`",
        ),
        (
            "register.status == 'locl'",
            "column 28: there is no value of `register.status` `locl`; did you mean `local`?",
        ),
        (
            "register.status in ['local', 'gone']",
            "column 38: there is no value of `register.status` `gone`; expected one of `none`, `local`, `moved`",
        ),
        ("cars.over in ['x']", "column 9: `cars.over` has no names; `in` is for flags that have"),
        ("ill", "column 9: `ill` is a watch dataset; expected `aid.ill`"),
        ("police.ill", "column 9: `ill` is a dataset of aid; expected `aid.ill`"),
        (
            "police.cars.over",
            "column 9: `cars` is a cross-check dataset; expected it without its agency",
        ),
        ("cars", "column 9: `cars` is a dataset; expected a flag, as in `cars.over`"),
        (
            "cras.over",
            "column 9: there is no agency or cross-check dataset `cras`; expected one of `register`, `cars`, `aid`, `police`",
        ),
        (
            "aid.ill &&",
            "column 19: the expression cannot be read from here on: mismatched input the end; expected CEL",
        ),
        (
            "aid.ill ? cars.over : true",
            "column 17: a rule cannot use `?:`; expected flags, `&& || !`, comparisons, `in` and `household`",
        ),
        (
            "household.exists(m, cars.over)",
            "column 29: `cars` is not the member; expected `m.<dataset>.<flag>`",
        ),
        (
            "household.exists(m, m.register.status == 'local')",
            "column 31: there is no dataset known of members `register`; expected `cars`",
        ),
        (
            "household.all(m, household.exists(n, n.cars.over))",
            "column 26: a household question stands inside another; expected flags of the member",
        ),
        (
            "aid.exists(m, m.cars.over)",
            "column 9: `exists` is asked of the household only; expected `household.exists(m, ...)`",
        ),
        (
            "household.filter(m, m.cars.over)",
            "column 9: `filter` is no condition by itself; expected `.size()` and a comparison after it, as in `.size() >= 2`",
        ),
        (
            "household.filter(m, m.cars.over).size() > -1",
            "column 51: expected a number of members, 0 or more",
        ),
        ("", "column 9: the expression is empty; expected a condition"),
    ];
    for (expression, expected) in cases {
        assert_eq!(when_fault(expression), expected, "{expression}");
    }
}

#[test]
fn a_fault_after_escapes_and_line_ends_is_told_where_it_was_written() {
    let escaped = fault(
        "\"aid.ill && aid.ill.paid >= 5000\"",
        "\"register.status == \\\"local\\\" && \\u0061id.il\"",
    );
    assert!(escaped.starts_with("line 78, column 50: there is no watch dataset"), "{escaped}");
    let lines = fault("\"aid.ill && aid.ill.paid >= 5000\"", "'''\naid.ill\n  && aid.il'''");
    assert!(lines.starts_with("line 80, column 10: there is no watch dataset"), "{lines}");
}
