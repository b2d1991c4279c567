//! Rules over random facts, against a second evaluator: person by person, with numbers in place of
//! bands, from the text's own meaning. Also the table of outcomes.

mod oracle;

use std::sync::Arc;

use gateway::{
    bitset::Bitset,
    columns::DatasetColumns,
    explanation::{self, Part, Truth, explain},
    facts::{DatasetFacts, Facts, HouseholdFacts, Reading},
    household_answers::HouseholdAnswers,
    lists::Lists,
    outcomes::{self, Outcome, Outcomes},
    policy::Policy,
    rule::Rule,
};
use oracle::{Dataset, Expr, Town, expression, town};
use proptest::{bool::weighted, collection::vec, option, prelude::*};

/// The columns of a random town.
struct Columns {
    subjects: Vec<DatasetColumns>,
    members: Vec<Option<DatasetColumns>>,
    list: Lists,
    complete: Bitset,
}

fn policy() -> Policy {
    Policy::parse(oracle::POLICY).expect("the oracle's policy is good")
}

fn fill(columns: &mut DatasetColumns, dataset: Dataset, rows: &[oracle::Rows]) {
    columns.grow(rows.len());
    for (row, person) in rows.iter().enumerate() {
        let bytes = person.0[dataset as usize].as_deref();
        columns.set_flags(row, bytes).expect("the oracle makes good bytes");
    }
}

impl Columns {
    fn of(town: &Town, policy: &Policy) -> Self {
        let datasets = || Dataset::ALL.into_iter().zip(&policy.catalogue.datasets);
        let filled = |dataset, schema, rows: &[oracle::Rows]| {
            let mut columns = DatasetColumns::new(schema);
            fill(&mut columns, dataset, rows);
            columns
        };
        let subjects = datasets().map(|(id, it)| filled(id, &it.schema, &town.subjects)).collect();
        let members = datasets().map(|(id, it)| {
            let readable = id == Dataset::Cars || id == Dataset::Pay;
            readable.then(|| filled(id, &it.schema, &town.members))
        });
        let mut list = Lists::default();
        let mut complete = Bitset::filled(town.subjects.len(), false);
        for (subject, household) in town.households.iter().enumerate() {
            if let Some((members, all)) = household {
                let member = |&member: &usize| u32::try_from(member).expect("few");
                list.replace(subject, &members.iter().map(member).collect::<Vec<_>>());
                complete.assign(subject, *all);
            }
        }
        Self { subjects, members: members.collect(), list, complete }
    }

    fn facts(&self, town: &Town) -> Facts<'_> {
        let fresh = |dataset: usize| town.fresh[dataset];
        let datasets = self.subjects.iter().enumerate();
        Facts {
            subjects: town.subjects.len(),
            datasets: datasets
                .map(|(number, columns)| DatasetFacts { columns, fresh: fresh(number) })
                .collect(),
            household: Some(HouseholdFacts {
                members: &self.list,
                complete: &self.complete,
                columns: self.members.iter().map(Option::as_ref).collect(),
                fresh: fresh(Dataset::Register as usize),
                answers: None,
            }),
        }
    }
}

fn rule(policy: &Policy, parts: &[(&str, Option<&Expr>)]) -> Rule {
    let mut text = String::from(
        "id = 'r'\nzh = '试'\nen = 'Try'\nsituation = 'any'\nassist = []\ndue = '1h'\n",
    );
    for (key, expression) in parts {
        if let Some(expression) = expression {
            text += &format!("{key} = \"{expression}\"\n");
        }
    }
    policy.parse_rule(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn pair(can_true: bool, can_false: bool) -> Truth {
    match (can_true, can_false) {
        (true, false) => Truth::True,
        (false, true) => Truth::False,
        _ => Truth::Unknown,
    }
}

/// The table of outcomes, line by line.
fn expected(
    town: &Town,
    subject: usize,
    when: &Expr,
    unless: Option<&Expr>,
    means: Option<&Expr>,
) -> Outcome {
    let known = |value: bool| (value, !value);
    let (wt, wf) = town.truth(when, subject, false);
    let (known_true, _) = town.truth(when, subject, true);
    let (ut, uf) = unless.map_or(known(false), |unless| town.truth(unless, subject, false));
    let (mt, mf) = means.map_or(known(true), |means| town.truth(means, subject, false));
    let unless_told = |outcome| if known_true { outcome } else { Outcome::None };
    if !wt {
        Outcome::None
    } else if ut && !uf {
        unless_told(Outcome::Covered)
    } else if mf && !mt {
        unless_told(Outcome::OverMeans)
    } else if !known_true {
        Outcome::Held
    } else if !wf && !ut && !mf {
        Outcome::Alert
    } else {
        Outcome::Pending
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_plan_says_of_everybody_what_possible_values_allow(
        town in town(),
        written in expression(),
        last_known: bool,
    ) {
        let policy = policy();
        let columns = Columns::of(&town, &policy);
        let reading = if last_known { Reading::LastKnown } else { Reading::Strict };
        let when = rule(&policy, &[("when", Some(&written))]).when;
        let truths = when.run(&columns.facts(&town), reading);
        for subject in 0..town.subjects.len() {
            let got = (truths.can_true.get(subject), truths.can_false.get(subject));
            prop_assert_eq!(got, town.truth(&written, subject, last_known), "{}", &written);
            if !last_known {
                let one = explanation::truth(&when, &columns.facts(&town), subject);
                prop_assert_eq!(one, pair(got.0, got.1), "of one person: {}", &written);
            }
        }
        // What a tree reads as is the same expression.
        let again = rule(&policy, &[("when", Some(&Expr::Text(when.tree.to_string())))]).when;
        prop_assert_eq!(again.run(&columns.facts(&town), reading), truths);
    }

    #[test]
    fn outcomes_follow_the_table_and_nobody_has_two(
        town in town(),
        when in expression(),
        unless in option::of(expression()),
        means in option::of(expression()),
    ) {
        let policy = policy();
        let columns = Columns::of(&town, &policy);
        let parts =
            [("when", Some(&when)), ("unless", unless.as_ref()), ("means", means.as_ref())];
        let outcomes = outcomes::evaluate(&rule(&policy, &parts), &columns.facts(&town));
        for subject in 0..town.subjects.len() {
            let wanted = expected(&town, subject, &when, unless.as_ref(), means.as_ref());
            prop_assert_eq!(outcomes.outcome(subject), wanted);
        }
        let all = [
            &outcomes.held,
            &outcomes.covered,
            &outcomes.over_means,
            &outcomes.alert,
            &outcomes.pending,
        ];
        let mut union = Bitset::filled(town.subjects.len(), false);
        all.iter().for_each(|set| union.or_with(set));
        prop_assert_eq!(union.count(), all.iter().map(|set| set.count()).sum::<usize>());
    }

    #[test]
    fn a_household_about_which_nothing_was_learnt_need_not_be_asked_again(
        before in town(),
        other in town(),
        taken in vec(weighted(0.2), 80),
        when in expression(),
        means in expression(),
    ) {
        let policy = policy();
        let rule = Arc::new(rule(&policy, &[("when", Some(&when)), ("means", Some(&means))]));
        let rules = std::slice::from_ref(&rule);
        let mut answers = HouseholdAnswers::default();
        let mut run = |town: &Town, touched: &Bitset| {
            let columns = Columns::of(town, &policy);
            let facts = columns.facts(town);
            answers.refresh(rules, &facts, touched);
            let facts = facts.with_answers(&answers);
            let mut outcomes = Outcomes::nobody(town.subjects.len());
            let moved = outcomes::evaluate_everybody(&rule, &facts, &mut outcomes);
            let again = outcomes::evaluate_everybody(&rule, &facts, &mut outcomes);
            (outcomes, moved, again.count())
        };
        run(&before, &Bitset::filled(before.subjects.len(), true));
        let (after, touched) = before.changed(&other, &taken);
        let mut learnt = Bitset::filled(after.subjects.len(), false);
        touched.into_iter().for_each(|subject| learnt.set(subject));
        let (outcomes, moved, again) = run(&after, &learnt);
        let columns = Columns::of(&after, &policy);
        prop_assert_eq!(&outcomes, &outcomes::evaluate(&rule, &columns.facts(&after)));
        let anything = |subject: &usize| outcomes.outcome(*subject) != Outcome::None;
        let wanted: Vec<usize> = (0..after.subjects.len()).filter(anything).collect();
        prop_assert_eq!(moved.ones().collect::<Vec<_>>(), wanted);
        prop_assert_eq!(again, 0, "nothing moves where nothing changes");
    }

    #[test]
    fn a_finding_tells_what_its_predicate_comes_to_by_itself(
        town in town(),
        when in expression(),
        unless in expression(),
    ) {
        let policy = policy();
        let columns = Columns::of(&town, &policy);
        let rule = rule(&policy, &[("when", Some(&when)), ("unless", Some(&unless))]);
        let (reads, facts) = (rule.datasets(), columns.facts(&town));
        for subject in 0..town.subjects.len() {
            let mut told = std::collections::BTreeSet::new();
            for finding in explain(&rule, &facts, subject) {
                let alone = Expr::Text(finding.predicate.clone());
                let alone = self::rule(&policy, &[("when", Some(&alone))]).when;
                let truths = alone.run(&facts, Reading::Strict);
                let (t, f) = (truths.can_true.get(subject), truths.can_false.get(subject));
                prop_assert_eq!(finding.truth, pair(t, f), "{}", finding.predicate);
                prop_assert!(finding.part != Part::Means);
                told.insert(finding.dataset);
            }
            prop_assert_eq!(&told, &reads, "every dataset that is read is told");
        }
    }
}

#[test]
fn people_whom_columns_do_not_reach_are_unknown() {
    let policy = policy();
    let mut town = Town::of(vec![oracle::Rows::default(); 3]);
    town.fresh = [true; 5];
    let columns = Columns::of(&town, &policy);
    let mut facts = columns.facts(&town);
    facts.subjects = 5;
    let when = rule(&policy, &[("when", Some(&Expr::Text("cars.over || aid.poor".into())))]).when;
    let truths = when.run(&facts, Reading::Strict);
    assert_eq!(truths.can_true.ones().collect::<Vec<_>>(), [3, 4]);
    assert_eq!(truths.can_false.count(), 5);
}

#[test]
fn a_household_that_is_unknown_incomplete_or_old_never_counts_as_empty() {
    let policy = policy();
    let exists = Expr::Text("household.exists(m, m.cars.over)".into());
    let when = rule(&policy, &[("when", Some(&exists))]).when;
    let truth = |town: &Town| {
        let columns = Columns::of(town, &policy);
        let truths = when.run(&columns.facts(town), Reading::Strict);
        pair(truths.can_true.get(0), truths.can_false.get(0))
    };
    let mut town = Town::of(vec![oracle::Rows::default()]);
    town.fresh = [true; 5];
    assert_eq!(truth(&town), Truth::Unknown, "no household row was opened");
    town.households = vec![Some((vec![], true))];
    assert_eq!(truth(&town), Truth::False, "nobody else lives there");
    town.households = vec![Some((vec![], false))];
    assert_eq!(truth(&town), Truth::Unknown, "somebody may be missing from the list");
    town.households = vec![Some((vec![], true))];
    town.fresh[Dataset::Register as usize] = false;
    assert_eq!(truth(&town), Truth::Unknown, "the register is old");
}
