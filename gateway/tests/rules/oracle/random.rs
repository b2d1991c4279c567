//! Random towns and random expressions.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::{Expr, Question, Rows, Town};

fn rows() -> impl Strategy<Value = Rows> {
    let byte = |count: u8| prop_oneof![5 => 0..count, 1 => Just(255)].prop_map(|byte| vec![byte]);
    (
        option::of(Just(vec![])),
        option::of(byte(4)),
        option::of(byte(5)),
        option::of(byte(2)),
        option::of(byte(6)),
    )
        .prop_map(|(poor, ill, register, cars, pay)| Rows([poor, ill, register, cars, pay]))
}

/// Up to 80 subjects, so that sets have more than one word.
pub fn town() -> impl Strategy<Value = Town> {
    (vec(rows(), 1..80), vec(rows(), 0..20), [4, 4, 4, 4, 4].map(fresh)).prop_flat_map(
        |(subjects, members, fresh)| {
            let list = vec(any::<prop::sample::Index>(), 0..4);
            let households = vec(option::of((list, any::<bool>())), subjects.len());
            households.prop_map(move |households| {
                let number = |index: &prop::sample::Index| index.index(members.len());
                let list = |list: Vec<_>| match members.len() {
                    0 => vec![],
                    _ => list.iter().map(number).collect(),
                };
                let named = households.into_iter();
                let named = named.map(|it| it.map(|(members, all)| (list(members), all)));
                let (subjects, members) = (subjects.clone(), members.clone());
                Town { subjects, members, households: named.collect(), fresh }
            })
        },
    )
}

fn fresh(weight: u32) -> impl Strategy<Value = bool> {
    prop_oneof![weight => Just(true), 1 => Just(false)]
}

/// Numbers are compared at edges of bands only, as the policy demands.
fn of_members() -> Vec<Question> {
    let mut questions = vec![Question::CarsOver, Question::Jobs("==", 1), Question::Jobs("!=", 1)];
    for edge in [1, 2, 5] {
        questions.extend([Question::Jobs("<", edge), Question::Jobs(">=", edge)]);
        questions.extend([Question::Jobs("<=", edge - 1), Question::Jobs(">", edge - 1)]);
    }
    questions
}

fn of_subjects() -> Vec<Question> {
    let mut questions = of_members();
    for edge in [5000, 20000] {
        questions.extend([Question::Paid("<", edge), Question::Paid(">=", edge)]);
        questions.extend([Question::Paid("<=", edge - 1), Question::Paid(">", edge - 1)]);
    }
    const NAMES: [&[&str]; 5] =
        [&["none"], &["local"], &["moved"], &["other", "moved"], &["none", "other"]];
    for names in NAMES {
        questions.extend([Question::Status(names, true), Question::Status(names, false)]);
    }
    questions.extend((0..4).flat_map(|_| [Question::Poor, Question::Ill]));
    questions
}

fn combined(leaf: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let grow = |inner: BoxedStrategy<Expr>| {
        let boxed = move || inner.clone().prop_map(Box::new);
        prop_oneof![
            (boxed(), boxed()).prop_map(|(a, b)| Expr::And(a, b)),
            (boxed(), boxed()).prop_map(|(a, b)| Expr::Or(a, b)),
            boxed().prop_map(Expr::Not),
        ]
    };
    leaf.prop_recursive(4, 12, 2, grow).boxed()
}

/// Anything a rule may say.
pub fn expression() -> impl Strategy<Value = Expr> {
    let ask = select(of_subjects()).prop_map(Expr::Ask);
    let ask_member = select(of_members()).prop_map(Expr::AskMember);
    let constant = || any::<bool>().prop_map(Expr::Const);
    let member = prop_oneof![12 => ask_member, 1 => constant()].boxed();
    let inner = move || combined(member.clone()).prop_map(Box::new);
    let sign = select(&["<", "<=", ">", ">=", "==", "!="][..]);
    let leaf = prop_oneof![
        12 => ask,
        1 => constant(),
        1 => inner().prop_map(Expr::Exists),
        1 => inner().prop_map(Expr::All),
        2 => (inner(), sign, 0..4i64).prop_map(|(inner, sign, n)| Expr::Count(inner, sign, n)),
    ];
    combined(leaf.boxed())
}
