//! The oracle's own reader of the CEL subset, by recursive descent.

use super::ast::{Expr, Op, Path};

/// Where an expression stops making sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    /// What was expected.
    pub expected: &'static str,
    /// The token that came instead; empty at the end.
    pub found: String,
}

impl std::fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {} instead of {:?}", self.expected, self.found)
    }
}

impl std::error::Error for SyntaxError {}

type Parsed<T> = Result<T, SyntaxError>;

/// Reads an expression.
///
/// # Errors
/// [`SyntaxError`] for anything outside the subset.
pub fn parse(text: &str) -> Parsed<Expr> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0 };
    let expression = parser.either()?;
    match parser.peek() {
        "" => Ok(expression),
        _ => Err(parser.fault("an operator or the end")),
    }
}

/// Splits into words, numbers, quoted strings (with their opening quote) and signs.
fn tokens(text: &str) -> Parsed<Vec<String>> {
    let mut tokens = vec![];
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first.is_ascii_alphabetic() || first == '_' {
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len())
        } else if first.is_ascii_digit() {
            rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
        } else if first == '\'' || first == '"' {
            let end = rest[1..].find(first).ok_or_else(|| SyntaxError {
                expected: "a closing quote",
                found: rest.to_owned(),
            })?;
            end + 2
        } else if ["&&", "||", "==", "!=", "<=", ">="].iter().any(|sign| rest.starts_with(sign)) {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser {
    tokens: Vec<String>,
    next: usize,
}

impl Parser {
    fn peek(&self) -> &str {
        self.tokens.get(self.next).map_or("", String::as_str)
    }

    fn take(&mut self) -> String {
        let token = self.peek().to_owned();
        self.next += 1;
        token
    }

    fn fault(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { expected, found: self.peek().to_owned() }
    }

    fn accept(&mut self, sign: &str) -> bool {
        let there = self.peek() == sign;
        self.next += usize::from(there);
        there
    }

    fn expect(&mut self, sign: &'static str) -> Parsed<()> {
        if self.accept(sign) { Ok(()) } else { Err(self.fault(sign)) }
    }

    fn either(&mut self) -> Parsed<Expr> {
        let mut left = self.both()?;
        while self.accept("||") {
            left = Expr::Or(Box::new(left), Box::new(self.both()?));
        }
        Ok(left)
    }

    fn both(&mut self) -> Parsed<Expr> {
        let mut left = self.term()?;
        while self.accept("&&") {
            left = Expr::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    /// `!` binds tighter than a comparison, so none can follow what it negates.
    fn term(&mut self) -> Parsed<Expr> {
        if !self.accept("!") {
            return self.primary(true);
        }
        if self.peek() == "!" {
            return Ok(Expr::Not(Box::new(self.term()?)));
        }
        Ok(Expr::Not(Box::new(self.primary(false)?)))
    }

    fn primary(&mut self, may_compare: bool) -> Parsed<Expr> {
        if self.accept("(") {
            let inner = self.either()?;
            self.expect(")")?;
            return Ok(inner);
        }
        if self.accept("true") {
            return Ok(Expr::Literal(true));
        }
        if self.accept("false") {
            return Ok(Expr::Literal(false));
        }
        let mut path = vec![self.word()?];
        while self.accept(".") {
            path.push(self.word()?);
        }
        if self.peek() == "(" {
            return self.household(&path.join("."), may_compare);
        }
        if may_compare { self.relation(Path(path)) } else { Ok(Expr::Holds(Path(path))) }
    }

    fn household(&mut self, function: &str, may_compare: bool) -> Parsed<Expr> {
        self.expect("(")?;
        let variable = self.word()?;
        self.expect(",")?;
        let body = Box::new(self.either()?);
        self.expect(")")?;
        match function {
            "household.exists" => Ok(Expr::Exists(variable, body)),
            "household.all" => Ok(Expr::All(variable, body)),
            "household.filter" if may_compare => {
                for sign in [".", "size", "(", ")"] {
                    self.expect(sign)?;
                }
                let op = self.operator()?;
                Ok(Expr::Size(variable, body, op, self.number()?))
            }
            _ => Err(self.fault("household.exists, all or filter")),
        }
    }

    fn relation(&mut self, path: Path) -> Parsed<Expr> {
        if self.accept("in") {
            self.expect("[")?;
            let mut names = vec![self.string()?];
            while self.accept(",") {
                names.push(self.string()?);
            }
            self.expect("]")?;
            return Ok(Expr::In(path, names));
        }
        let Ok(op) = self.operator() else { return Ok(Expr::Holds(path)) };
        if !self.peek().starts_with(['\'', '"']) {
            return Ok(Expr::Compare(path, op, self.number()?));
        }
        match op {
            Op::Equal => Ok(Expr::Is(path, true, self.string()?)),
            Op::Unequal => Ok(Expr::Is(path, false, self.string()?)),
            _ => Err(self.fault("a number")),
        }
    }

    fn operator(&mut self) -> Parsed<Op> {
        let known = Op::ALL.iter().find(|(_, spelling)| *spelling == self.peek());
        let op = known.map(|(op, _)| *op).ok_or_else(|| self.fault("a comparison"))?;
        self.next += 1;
        Ok(op)
    }

    fn word(&mut self) -> Parsed<String> {
        if self.peek().starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
            Ok(self.take())
        } else {
            Err(self.fault("a name"))
        }
    }

    fn string(&mut self) -> Parsed<String> {
        if self.peek().starts_with(['\'', '"']) {
            let quoted = self.take();
            Ok(quoted[1..quoted.len() - 1].to_owned())
        } else {
            Err(self.fault("a quoted name"))
        }
    }

    fn number(&mut self) -> Parsed<i64> {
        let sign = if self.accept("-") { -1 } else { 1 };
        let number: i64 = self.peek().parse().map_err(|_| self.fault("a number"))?;
        self.next += 1;
        Ok(sign * number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        parse(text).expect("good").to_string()
    }

    #[test]
    fn binding_follows_cel() {
        assert_eq!(printed("a.b||c.d&&!e.f"), "a.b || (c.d && (!e.f))");
        assert_eq!(printed("!(a.b < -3)"), "!(a.b < -3)");
        assert_eq!(printed("a.b in [\"x\",'y']&&true"), "(a.b in ['x', 'y']) && true");
        let size = "household.filter(m, m.cars.over).size() >= 2";
        assert_eq!(printed(size), size);
        assert_eq!(printed("!household.all(m, !m.a.b)"), "!household.all(m, !m.a.b)");
    }

    #[test]
    fn what_cel_would_read_otherwise_is_refused() {
        for bad in ["!a.b < 3", "a.b &", "a.b c.d", "a.b in []", "a < 'x'", "(a.b", "f(m, a)", "'a"]
        {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
