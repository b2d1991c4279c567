//! The second evaluator: random towns, random expressions, and their truth by trying every value
//! that is possible. Knows nothing of the gateway's code.

use std::fmt;

use proptest::{collection::vec, option, prelude::*, sample::select};

pub const POLICY: &str = r#"
[programme]
id = "small"
zh = "小"
en = "Small"
pending_deadline = "72h"

[[agency]]
id = "aid"
zh = "救助"
en = "Aid"

[[situation]]
id = "any"
zh = "任何"
en = "Any"

[[dataset]]
id = "poor"
agency = "aid"
kind = "watch"
fresh_within = "48h"
zh = "困难"
en = "Poor"

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
coarser = [[1, 2]]

[[dataset]]
id = "register"
agency = "aid"
kind = "cross_check"
fresh_within = "48h"
zh = "户籍"
en = "Register"

[[dataset.flag]]
name = "status"
zh = "状态"
en = "Status"
values = ["none", "local", "other", "moved"]
coarser = [[2, 3]]

[dataset.household]
max_members = 3
datasets = ["cars", "pay"]

[[dataset]]
id = "cars"
agency = "aid"
kind = "cross_check"
fresh_within = "48h"
zh = "车辆"
en = "Cars"

[[dataset.flag]]
name = "over"
zh = "超标"
en = "Over"

[[dataset]]
id = "pay"
agency = "aid"
kind = "cross_check"
fresh_within = "48h"
zh = "工资"
en = "Pay"

[[dataset.flag]]
name = "jobs"
zh = "工作"
en = "Jobs"
bands = [-1, 1, 2, 5]
coarser = [[1, 2], [2, 3]]
"#;

/// In the policy's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dataset {
    Poor,
    Ill,
    Register,
    Cars,
    Pay,
}

impl Dataset {
    pub const ALL: [Self; 5] = [Self::Poor, Self::Ill, Self::Register, Self::Cars, Self::Pay];
}

/// What each dataset says of one person: flag bytes, or nothing where it does not list the person.
#[derive(Debug, Clone, Default)]
pub struct Rows(pub [Option<Vec<u8>>; 5]);

/// Members by number, and whether they are all.
pub type Household = Option<(Vec<usize>, bool)>;

#[derive(Debug, Clone)]
pub struct Town {
    pub subjects: Vec<Rows>,
    pub members: Vec<Rows>,
    pub households: Vec<Household>,
    pub fresh: [bool; 5],
}

/// A predicate, with its possible values as the policy's author thinks of them.
#[derive(Debug, Clone)]
pub enum Question {
    Poor,
    Ill,
    Paid(&'static str, i64),
    Status(&'static [&'static str], bool),
    CarsOver,
    Jobs(&'static str, i64),
}

#[derive(Debug, Clone)]
pub enum Expr {
    Const(bool),
    Ask(Question),
    /// Asked of a household member.
    AskMember(Question),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Exists(Box<Expr>),
    All(Box<Expr>),
    Count(Box<Expr>, &'static str, i64),
    /// Something to be read only.
    Text(String),
}

impl Town {
    /// Everybody without a household, and nothing fresh.
    pub fn of(subjects: Vec<Rows>) -> Self {
        let households = vec![None; subjects.len()];
        Self { subjects, members: vec![], households, fresh: [false; 5] }
    }

    /// Whether an expression can be true, and whether it can be false.
    pub fn truth(&self, expression: &Expr, subject: usize, last_known: bool) -> (bool, bool) {
        let of = |inner: &Expr| self.truth(inner, subject, last_known);
        match expression {
            Expr::Const(value) => (*value, !*value),
            Expr::Ask(question) => {
                let dataset = question.dataset();
                let watch = matches!(dataset, Dataset::Poor | Dataset::Ill);
                let believed = self.fresh[dataset as usize] || watch && last_known;
                question.truth(&self.subjects[subject], believed)
            }
            Expr::Not(inner) => {
                let (t, f) = of(inner);
                (f, t)
            }
            Expr::And(a, b) => kleene(of(a), of(b), |a, b| a && b),
            Expr::Or(a, b) => kleene(of(a), of(b), |a, b| a || b),
            Expr::Exists(inner) => self.sizes(subject, inner, |size, _| size > 0),
            Expr::All(inner) => self.sizes(subject, inner, |size, all| size == all),
            Expr::Count(inner, sign, number) => {
                self.sizes(subject, inner, |size, _| holds(size, sign, *number))
            }
            Expr::AskMember(_) | Expr::Text(_) => panic!("not about a subject"),
        }
    }

    /// Tries every answer of every member who is listed, and up to five who are not.
    fn sizes(&self, subject: usize, inner: &Expr, is: impl Fn(i64, i64) -> bool) -> (bool, bool) {
        let known = self.households[subject].clone();
        let known = known.filter(|_| self.fresh[Dataset::Register as usize]);
        let (listed, complete) = known.unwrap_or((vec![], false));
        let mut possible = vec![(0, 0)];
        let extend = |possible: &[(i64, i64)], (t, f): (bool, bool)| {
            let one = |&(size, all): &(i64, i64)| {
                [t.then_some((size + 1, all + 1)), f.then_some((size, all + 1))]
            };
            possible.iter().flat_map(one).flatten().collect::<Vec<_>>()
        };
        for member in listed {
            possible = extend(&possible, self.of_member(inner, member));
        }
        let mut all = possible.clone();
        for _ in 0..if complete { 0 } else { 5 } {
            possible = extend(&possible, (true, true));
            all.extend(&possible);
        }
        let answers = all.into_iter().map(|(size, all)| is(size, all));
        answers.fold((false, false), |(t, f), answer| (t || answer, f || !answer))
    }

    fn of_member(&self, expression: &Expr, member: usize) -> (bool, bool) {
        let of = |inner: &Expr| self.of_member(inner, member);
        match expression {
            Expr::Const(value) => (*value, !*value),
            Expr::AskMember(question) => {
                let fresh = self.fresh[question.dataset() as usize];
                question.truth(&self.members[member], fresh)
            }
            Expr::Not(inner) => {
                let (t, f) = of(inner);
                (f, t)
            }
            Expr::And(a, b) => kleene(of(a), of(b), |a, b| a && b),
            Expr::Or(a, b) => kleene(of(a), of(b), |a, b| a || b),
            _ => panic!("not about a member"),
        }
    }
}

/// Tries every pair of answers.
fn kleene(a: (bool, bool), b: (bool, bool), join: fn(bool, bool) -> bool) -> (bool, bool) {
    let answers = |(t, f): (bool, bool)| [t.then_some(true), f.then_some(false)];
    let pairs = answers(a).into_iter().flatten().flat_map(|a| {
        answers(b).into_iter().flatten().map(move |b| join(a, b)).collect::<Vec<_>>()
    });
    pairs.fold((false, false), |(t, f), answer| (t || answer, f || !answer))
}

fn holds(a: i64, sign: &str, b: i64) -> bool {
    match sign {
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        "==" => a == b,
        "!=" => a != b,
        _ => panic!("no such sign"),
    }
}

impl Question {
    fn dataset(&self) -> Dataset {
        match self {
            Self::Poor => Dataset::Poor,
            Self::Ill | Self::Paid(..) => Dataset::Ill,
            Self::Status(..) => Dataset::Register,
            Self::CarsOver => Dataset::Cars,
            Self::Jobs(..) => Dataset::Pay,
        }
    }

    fn truth(&self, rows: &Rows, believed: bool) -> (bool, bool) {
        let row = &rows.0[self.dataset() as usize];
        let byte = match row {
            _ if !believed => 255,
            Some(row) => row.first().copied().unwrap_or(0),
            None => 0,
        };
        let answers: Vec<bool> = match self {
            Self::Poor | Self::Ill if believed => vec![row.is_some()],
            Self::Poor | Self::Ill => vec![true, false],
            Self::CarsOver => match byte {
                255 => vec![true, false],
                byte => vec![byte == 1],
            },
            Self::Status(names, is) => {
                let possible: &[&str] = match byte {
                    0 => &["none"],
                    1 => &["local"],
                    2 => &["other"],
                    3 => &["moved"],
                    4 => &["other", "moved"],
                    _ => &["none", "local", "other", "moved"],
                };
                possible.iter().map(|name| names.contains(name) == *is).collect()
            }
            Self::Paid(sign, number) => {
                let possible: &[i64] = match byte {
                    0 => &[-9, 0, 4999],
                    1 => &[5000, 19999],
                    2 => &[20000, 999_999],
                    3 => &[5000, 19999, 20000, 999_999],
                    _ => &[-9, 0, 4999, 5000, 19999, 20000, 999_999],
                };
                possible.iter().map(|paid| holds(*paid, sign, *number)).collect()
            }
            Self::Jobs(sign, number) => {
                let possible: &[i64] = match byte {
                    0 => &[-9, -1, 0],
                    1 => &[1],
                    2 => &[2, 3, 4],
                    3 => &[5, 99],
                    4 => &[1, 2, 3, 4],
                    5 => &[2, 3, 4, 5, 99],
                    _ => &[-9, -1, 0, 1, 2, 3, 4, 5, 99],
                };
                possible.iter().map(|jobs| holds(*jobs, sign, *number)).collect()
            }
        };
        (answers.contains(&true), answers.contains(&false))
    }
}

impl Question {
    fn write(&self, f: &mut fmt::Formatter<'_>, member: &str) -> fmt::Result {
        match self {
            Self::Poor => f.write_str("aid.poor"),
            Self::Ill => f.write_str("aid.ill"),
            Self::Paid(sign, number) => write!(f, "aid.ill.paid {sign} {number}"),
            Self::Status([name], true) => write!(f, "register.status == '{name}'"),
            Self::Status([name], false) => write!(f, "register.status != '{name}'"),
            Self::Status(names, true) => {
                write!(f, "register.status in ['{}']", names.join("', '"))
            }
            Self::Status(names, false) => {
                write!(f, "!(register.status in ['{}'])", names.join("', '"))
            }
            Self::CarsOver => write!(f, "{member}cars.over"),
            Self::Jobs(sign, number) => write!(f, "{member}pay.jobs {sign} {number}"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Const(value) => write!(f, "{value}"),
            Self::Ask(question) => question.write(f, ""),
            Self::AskMember(question) => question.write(f, "m."),
            Self::Not(inner) => write!(f, "!({inner})"),
            Self::And(a, b) => write!(f, "({a}) && ({b})"),
            Self::Or(a, b) => write!(f, "({a}) || ({b})"),
            Self::Exists(inner) => write!(f, "household.exists(m, {inner})"),
            Self::All(inner) => write!(f, "household.all(m, {inner})"),
            Self::Count(inner, sign, number) => {
                write!(f, "household.filter(m, {inner}).size() {sign} {number}")
            }
            Self::Text(text) => f.write_str(text),
        }
    }
}

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
