//! Rule expressions as a tree, and as CEL text.

use std::fmt;

/// An expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// `true` or `false`.
    Literal(bool),
    /// A boolean flag, or membership of a watch dataset.
    Holds(Path),
    /// A number in bands against an edge.
    Compare(Path, Op, i64),
    /// A category is (`==`) or is not (`!=`) a name.
    Is(Path, bool, String),
    /// A category is one of several names.
    In(Path, Vec<String>),
    /// `!`.
    Not(Box<Self>),
    /// `&&`.
    And(Box<Self>, Box<Self>),
    /// `||`.
    Or(Box<Self>, Box<Self>),
    /// Somebody in the household; the variable, and what must hold.
    Exists(String, Box<Self>),
    /// Everybody in the household.
    All(String, Box<Self>),
    /// How many in the household.
    Size(String, Box<Self>, Op, i64),
}

/// Names with dots between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub Vec<String>);

/// A comparison of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
    /// `!=`
    Unequal,
}

impl Op {
    /// Every comparison with its spelling.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::Less, "<"),
        (Self::AtMost, "<="),
        (Self::More, ">"),
        (Self::AtLeast, ">="),
        (Self::Equal, "=="),
        (Self::Unequal, "!="),
    ];

    /// Whether `left op right`.
    pub fn holds(self, left: i64, right: i64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::More => left > right,
            Self::AtLeast => left >= right,
            Self::Equal => left == right,
            Self::Unequal => left != right,
        }
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spelling = Self::ALL.iter().find(|(op, _)| op == self).expect("the list is complete").1;
        f.write_str(spelling)
    }
}

impl Path {
    /// From its written form.
    pub fn new(text: &str) -> Self {
        Self(text.split('.').map(str::to_owned).collect())
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// Operands of `!`, `&&` and `||` are put in brackets unless they are plain names.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            plain @ (Expr::Literal(_) | Expr::Holds(_) | Expr::Exists(..) | Expr::All(..)) => {
                write!(f, "{plain}")
            }
            compound => write!(f, "({compound})"),
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{value}"),
            Self::Holds(path) => write!(f, "{path}"),
            Self::Compare(path, op, number) => write!(f, "{path} {op} {number}"),
            Self::Is(path, true, name) => write!(f, "{path} == '{name}'"),
            Self::Is(path, false, name) => write!(f, "{path} != '{name}'"),
            Self::In(path, names) => write!(f, "{path} in ['{}']", names.join("', '")),
            Self::Not(inner) => write!(f, "!{}", Operand(inner)),
            Self::And(a, b) => write!(f, "{} && {}", Operand(a), Operand(b)),
            Self::Or(a, b) => write!(f, "{} || {}", Operand(a), Operand(b)),
            Self::Exists(variable, body) => write!(f, "household.exists({variable}, {body})"),
            Self::All(variable, body) => write!(f, "household.all({variable}, {body})"),
            Self::Size(variable, body, op, number) => {
                write!(f, "household.filter({variable}, {body}).size() {op} {number}")
            }
        }
    }
}
