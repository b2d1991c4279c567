//! What a faulty policy is told: line, column, and one sentence that says how to mend it.

use gateway::policy::Policy;

const SMALL: &str = include_str!("small_policy.toml");

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
        (
            "[[agency]]\nid = \"aid\"",
            "[[agency]\nid = \"aid\"",
            "line 7, column 10: unclosed array table, expected `]`",
        ),
        (
            "max_members = 3",
            "max_members = 300",
            "line 57, column 15: invalid value: integer `300`, expected a whole number up to 255",
        ),
        ("due = \"72h\"", "due = \"72h\"\ndue = \"72h\"", "line 83, column 1: duplicate key"),
        (
            "due = \"72h\"",
            "due = \"-1h\"",
            "line 82, column 7: `-1h` is no duration; expected hours or minutes, as in `72h`",
        ),
        (
            "due = \"72h\"",
            "due = 72",
            "line 82, column 7: invalid type: integer `72`, expected a string",
        ),
        (
            "coarser = [[1, 2]]",
            "bands = [0, 1]",
            "line 53, column 10: a flag has bands or values; expected one of the two",
        ),
    ];
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
            "register.status in ['local', 'abroad']",
            "column 38: there is no value of `register.status` `abroad`; expected one of `none`, `local`, `moved`",
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
            "column 52: expected a number of members, 0 or more",
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

#[test]
fn who_is_vulnerable_is_said_as_in_a_rule_and_a_fault_in_it_is_told() {
    let with = |vulnerable: &str| {
        Policy::parse(&format!("{SMALL}\n[disclosure]\nvulnerable = \"{vulnerable}\"\n"))
    };
    let lines = SMALL.lines().count();
    let good = with("aid.ill || household.exists(m, m.cars.over)").expect("it is good");
    assert!(good.vulnerable.is_some());
    assert_eq!(Policy::parse(SMALL).expect("it is good").vulnerable, None, "nobody is");
    let fault = with("aid.il").expect_err("it is faulty").to_string();
    let place = format!("line {}, column 19: there is no watch dataset", lines + 3);
    assert!(fault.starts_with(&place), "{fault}");
}
