//! CEL as text: parsing it, and where each part of it stands.
//!
//! Owns everything that depends on the parser's own types except the walk over them, which is
//! `checker`'s.

use cel::{
    Env, ParseErrors,
    common::ast::{Expr, IdedExpr, LiteralValue, SourceInfo},
};

use crate::policy_error::Fault;

/// In bytes; longer ones are no rules, and would only strain the parser.
const LONGEST: usize = 4096;

/// Where the parts of a parsed expression stand.
pub(crate) struct Syntax {
    positions: SourceInfo,
}

/// A name of a path such as `dataset.flag`.
pub(crate) struct Segment<'a> {
    pub(crate) name: &'a str,
    pub(crate) offset: usize,
}

/// Parses an expression; `household.exists` and the like stay as they are written.
pub(crate) fn parse(source: &str) -> Result<(IdedExpr, Syntax), Fault> {
    if source.trim().is_empty() {
        return Err(Fault::new(0, "the expression is empty; expected a condition"));
    }
    if source.len() > LONGEST {
        let found = source.len();
        let sentence = format!("the expression has {found} bytes; expected at most {LONGEST}");
        return Err(Fault::new(0, sentence));
    }
    // An environment by default has no macros.
    let parsed = Env::default().parser().parse_with_source_info(source);
    let (expression, positions) = parsed.map_err(|errors| unreadable(source, &errors))?;
    Ok((expression, Syntax { positions }))
}

impl Syntax {
    /// A fault of a part as a whole, told where the part begins.
    pub(crate) fn fault(&self, part: &IdedExpr, sentence: impl Into<String>) -> Fault {
        Fault::new(self.start(part), sentence)
    }

    /// Where a part's own token stands: an operator, a literal, a call's parenthesis.
    pub(crate) fn operator(&self, part: &IdedExpr) -> usize {
        self.positions.offset_for(part.id).map_or(0, |(start, _)| start as usize)
    }

    /// The names of a path and where they stand.
    pub(crate) fn path<'e>(&self, part: &'e IdedExpr) -> Result<Vec<Segment<'e>>, Fault> {
        match &part.expr {
            Expr::Ident(name) => Ok(vec![Segment { name, offset: self.operator(part) }]),
            Expr::Select(select) => {
                let mut path = self.path(&select.operand)?;
                let after_dot = self.operator(part) + 1;
                let rest = self.positions.source.get(after_dot..).unwrap_or_default();
                let offset = after_dot + (rest.len() - rest.trim_start().len());
                path.push(Segment { name: &select.field, offset });
                Ok(path)
            }
            _ => Err(self.fault(part, "expected a flag, as in `dataset.flag`, on the left")),
        }
    }

    /// A whole number to count members with.
    pub(crate) fn count(&self, part: &IdedExpr) -> Result<u32, Fault> {
        let number = match &part.expr {
            Expr::Literal(LiteralValue::Int(number)) => u32::try_from(*number.inner()).ok(),
            _ => None,
        };
        number.ok_or_else(|| self.fault(part, "expected a number of members, 0 or more"))
    }

    fn start(&self, part: &IdedExpr) -> usize {
        let own = self.operator(part);
        let first = match &part.expr {
            Expr::Select(select) => Some(&*select.operand),
            Expr::Call(call) => call.target.as_deref().or_else(|| call.args.first()),
            _ => None,
        };
        first.map_or(own, |first| own.min(self.start(first)))
    }
}

/// The parser's first complaint, without its list of everything that could have stood there.
fn unreadable(source: &str, errors: &ParseErrors) -> Fault {
    let Some(first) = errors.errors.first() else {
        return Fault::new(0, "the expression cannot be read; expected CEL");
    };
    let message = first.msg.trim_start_matches("Syntax error: ");
    let message = message.split(" expecting ").next().unwrap_or(message);
    let words: Vec<&str> = message.split_whitespace().collect();
    let message = words.join(" ").replace("'<EOF>'", "the end");
    let sentence = format!("the expression cannot be read from here on: {message}; expected CEL");
    Fault::new(offset(source, first.pos), sentence)
}

/// The byte at a line and a column in characters, both from 1.
fn offset(source: &str, (line, column): (isize, isize)) -> usize {
    let before = |number: isize| usize::try_from(number - 1).unwrap_or(0);
    let lines = source.split_inclusive('\n').take(before(line));
    let start: usize = lines.map(str::len).sum();
    let rest = source.get(start..).unwrap_or_default();
    start + rest.chars().take(before(column)).map(char::len_utf8).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_deepest_and_longest_texts_are_read_or_refused_without_harm() {
        let fill = |piece: &str| piece.repeat(LONGEST / piece.len() - 1);
        for text in [
            fill("a."),
            fill("("),
            fill("["),
            fill("!("),
            fill("a<"),
            fill("a&&"),
            fill("a+"),
            fill("-"),
            fill("!"),
            fill("a?"),
            fill("a("),
            fill("a["),
            fill("a.a("),
            fill("{1:"),
            format!("{}a", fill("a.")),
            format!("{}a", fill("a<")),
            format!("{}a", fill("a+")),
        ] {
            // Half of what the gateway's threads have.
            let small = std::thread::Builder::new().stack_size(1 << 20);
            let reader = small.spawn(move || parse(&text).is_ok()).expect("a thread");
            reader.join().expect("it is read or refused");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_fail_otherwise_than_with_a_fault(
            text in "([a-m .!&|<>=()\\[\\]'\"0-9,?:{}民\\\\\n]|household|in|\\.size\\(\\)){0,40}",
        ) {
            if let Err(fault) = parse(&text) {
                prop_assert!(fault.offset <= text.len());
                prop_assert!(!fault.sentence.contains('\n'));
            }
        }
    }
}
