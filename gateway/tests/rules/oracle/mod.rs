//! The second evaluator: towns, expressions, and their truth by trying every value that is
//! possible. Knows nothing of the gateway's code.

mod random;

use std::fmt;

pub use random::{expression, town};

pub const POLICY: &str = include_str!("policy.toml");

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

    /// The town after everything said of subjects themselves became what `other` says, and of those
    /// `taken` the household and the rows of the member with their number, too; and of whose household
    /// anything was learnt by it.
    pub fn changed(&self, other: &Self, taken: &[bool]) -> (Self, Vec<usize>) {
        let (subjects, members) = (self.subjects.len(), self.members.len());
        let new = |number: usize, before: usize| number >= before || taken[number];
        let mut after = other.clone();
        after.subjects.extend(self.subjects.iter().skip(other.subjects.len()).cloned());
        after.members.extend(self.members.iter().skip(other.members.len()).cloned());
        after.households.resize(after.subjects.len(), None);
        for number in (0..members).filter(|&number| !new(number, members)) {
            after.members[number] = self.members[number].clone();
        }
        for number in (0..subjects).filter(|&number| !new(number, subjects)) {
            after.households[number] = self.households[number].clone();
        }
        let names_changed = |subject: &usize| {
            let household = after.households[*subject].iter();
            household.flat_map(|(list, _)| list).any(|&member| new(member, members))
        };
        let touched = |subject: &usize| new(*subject, subjects) || names_changed(subject);
        let touched = (0..after.subjects.len()).filter(touched).collect();
        (after, touched)
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
