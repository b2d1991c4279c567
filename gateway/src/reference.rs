//! What a path in an expression refers to, and which questions may be asked of it.
//!
//! Owns the step from names and numbers to exact values. A question that some value leaves
//! undecided is refused here, so that an unknown always comes from the data.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use proto::{
    name::DatasetId,
    schema::{DatasetKind, FlagKind},
};

use crate::{
    catalogue::{Catalogue, DatasetNumber},
    expression::{Comparison, Predicate},
    policy_error::{Fault, no_such},
    syntax::{Segment, Syntax},
};

/// Whom a path is about.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// The person whom the rule is about.
    Subject,
    /// A member of the household.
    Member {
        /// What the member is called in the rule.
        variable: &'a str,
        /// Which datasets are known of members.
        readable: &'a [DatasetId],
    },
}

/// A dataset's list of people, or one of its flags.
pub(crate) struct Reference<'a> {
    dataset: DatasetNumber,
    flag: Option<(usize, &'a FlagKind)>,
    text: String,
    offset: usize,
}

/// Finds what a path refers to.
pub(crate) fn resolve<'a>(
    path: &[Segment<'_>],
    catalogue: &'a Catalogue,
    scope: Scope<'_>,
) -> Result<Reference<'a>, Fault> {
    let (dataset, rest) = match scope {
        Scope::Subject => of_subject(path, catalogue)?,
        Scope::Member { variable, readable } => of_member(path, catalogue, variable, readable)?,
    };
    let text = path.iter().map(|segment| segment.name).collect::<Vec<_>>().join(".");
    let (schema, offset) = (&catalogue.datasets[dataset].schema, path[0].offset);
    let flags = || schema.flags.iter().map(|flag| flag.name.as_str());
    let flag = match rest {
        [] if schema.kind == DatasetKind::Watch => None,
        [] => {
            let example = flags().next().unwrap_or("flag");
            let sentence =
                format!("`{text}` is a dataset; expected a flag, as in `{text}.{example}`");
            return Err(Fault::new(offset, sentence));
        }
        [flag, rest @ ..] => {
            let Some((index, found)) = schema.flag(flag.name) else {
                let kind = format!("flag of {}", schema.dataset);
                return Err(Fault::new(flag.offset, no_such(&kind, flag.name, flags())));
            };
            if let Some(next) = rest.first() {
                let sentence =
                    format!("a flag has no parts; expected nothing after `{}`", flag.name);
                return Err(Fault::new(next.offset, sentence));
            }
            Some((index, &found.kind))
        }
    };
    Ok(Reference { dataset, flag, text, offset })
}

type Found<'p, 's> = (DatasetNumber, &'p [Segment<'s>]);

fn of_subject<'p, 's>(
    path: &'p [Segment<'s>],
    catalogue: &Catalogue,
) -> Result<Found<'p, 's>, Fault> {
    let (first, rest) = path.split_first().expect("a path has a name");
    let datasets = || catalogue.datasets.iter();
    if let Some(number) = catalogue.dataset(first.name) {
        let dataset = &catalogue.datasets[number];
        return match dataset.schema.kind {
            DatasetKind::CrossCheck => Ok((number, rest)),
            DatasetKind::Watch => {
                let (agency, id) = (&dataset.agency, first.name);
                let sentence = format!("`{id}` is a watch dataset; expected `{agency}.{id}`");
                Err(Fault::new(first.offset, sentence))
            }
        };
    }
    if catalogue.agency(first.name).is_none() {
        let cross = datasets().filter(|dataset| dataset.schema.kind == DatasetKind::CrossCheck);
        let ids = cross.map(|dataset| dataset.schema.dataset.as_str());
        let known = ids.chain(catalogue.agencies.iter().map(|agency| agency.id.as_str()));
        let sentence = no_such("agency or cross-check dataset", first.name, known);
        return Err(Fault::new(first.offset, sentence));
    }
    let agency = first.name;
    let Some((second, rest)) = rest.split_first() else {
        let sentence = format!("`{agency}` is an agency; expected `{agency}.<watch dataset>`");
        return Err(Fault::new(first.offset, sentence));
    };
    let Some(number) = catalogue.dataset(second.name) else {
        let own = datasets().filter(|dataset| {
            dataset.agency.as_str() == agency && dataset.schema.kind == DatasetKind::Watch
        });
        let known = own.map(|dataset| dataset.schema.dataset.as_str());
        let sentence = no_such(&format!("watch dataset of {agency}"), second.name, known);
        return Err(Fault::new(second.offset, sentence));
    };
    let (dataset, id) = (&catalogue.datasets[number], second.name);
    if dataset.schema.kind == DatasetKind::CrossCheck {
        let sentence = format!("`{id}` is a cross-check dataset; expected it without its agency");
        return Err(Fault::new(first.offset, sentence));
    }
    if dataset.agency.as_str() != agency {
        let owner = &dataset.agency;
        let sentence = format!("`{id}` is a dataset of {owner}; expected `{owner}.{id}`");
        return Err(Fault::new(first.offset, sentence));
    }
    Ok((number, rest))
}

fn of_member<'p, 's>(
    path: &'p [Segment<'s>],
    catalogue: &Catalogue,
    variable: &str,
    readable: &[DatasetId],
) -> Result<Found<'p, 's>, Fault> {
    let (first, rest) = path.split_first().expect("a path has a name");
    if first.name != variable {
        let found = first.name;
        let sentence =
            format!("`{found}` is not the member; expected `{variable}.<dataset>.<flag>`");
        return Err(Fault::new(first.offset, sentence));
    }
    let Some((second, rest)) = rest.split_first() else {
        let sentence =
            format!("`{variable}` is the member; expected `{variable}.<dataset>.<flag>`");
        return Err(Fault::new(first.offset, sentence));
    };
    let number = readable.iter().find(|id| id.as_str() == second.name);
    number.and_then(|id| catalogue.number(id)).map(|number| (number, rest)).ok_or_else(|| {
        let known = readable.iter().map(DatasetId::as_str);
        Fault::new(second.offset, no_such("dataset known of members", second.name, known))
    })
}

impl Reference<'_> {
    /// The question whether it is so: of a list of people or a boolean.
    pub(crate) fn holds(self) -> Result<Predicate, Fault> {
        let text = &self.text;
        let sentence = match self.flag {
            None | Some((_, FlagKind::Boolean)) => {
                let text = self.text.clone();
                return Ok(self.predicate(0b10, 2, text));
            }
            Some((_, FlagKind::Bands { .. })) => {
                format!("`{text}` is a number; expected a comparison, as in `{text} < 2`")
            }
            Some((_, FlagKind::Category { values, .. })) => {
                let example = values.last().map_or("", String::as_str);
                format!("`{text}` has names; expected a comparison, as in `{text} == '{example}'`")
            }
        };
        Err(Fault::new(self.offset, sentence))
    }

    /// The question how it compares with a literal. `operator` is where the sign stands.
    pub(crate) fn compares(
        self,
        syntax: &Syntax,
        comparison: Comparison,
        operator: usize,
        literal: &IdedExpr,
    ) -> Result<Predicate, Fault> {
        let sign = comparison.sign();
        match self.flag {
            None | Some((_, FlagKind::Boolean)) => {
                let text = self.text;
                let sentence = format!("`{text}` is yes or no; expected it bare, or `!{text}`");
                Err(Fault::new(operator, sentence))
            }
            Some((_, FlagKind::Category { values, .. })) => {
                let is = match comparison {
                    Comparison::Equal => true,
                    Comparison::NotEqual => false,
                    _ => {
                        let text = self.text;
                        let sentence = format!(
                            "the names of `{text}` have no order; expected `==`, `!=` or `in`"
                        );
                        return Err(Fault::new(operator, sentence));
                    }
                };
                let (index, name) = self.value(syntax, values, literal)?;
                let mask = if is { 1 << index } else { !(1 << index) };
                let text = format!("{} {sign} '{name}'", self.text);
                Ok(self.predicate(mask, values.len(), text))
            }
            Some((_, FlagKind::Bands { lower_bounds, .. })) => {
                let Expr::Literal(LiteralValue::Int(number)) = &literal.expr else {
                    let sentence =
                        format!("expected a whole number to compare `{}` with", self.text);
                    return Err(syntax.fault(literal, sentence));
                };
                let number = *number.inner();
                let text = format!("{} {sign} {number}", self.text);
                let mask = bands(lower_bounds, comparison, number)
                    .ok_or_else(|| syntax.fault(literal, inside(&text, lower_bounds)))?;
                Ok(self.predicate(mask, lower_bounds.len(), text))
            }
        }
    }

    /// The question whether its value is in a list of names.
    pub(crate) fn among(self, syntax: &Syntax, list: &IdedExpr) -> Result<Predicate, Fault> {
        let Some((_, FlagKind::Category { values, .. })) = self.flag else {
            let text = self.text;
            let sentence = format!("`{text}` has no names; `in` is for flags that have");
            return Err(Fault::new(self.offset, sentence));
        };
        let elements = match &list.expr {
            Expr::List(list) if !list.elements.is_empty() => &list.elements,
            _ => return Err(syntax.fault(list, "expected a list of names, as in `['a', 'b']`")),
        };
        let (mut mask, mut names) = (0, vec![]);
        for element in elements {
            let (index, name) = self.value(syntax, values, element)?;
            mask |= 1 << index;
            names.push(format!("'{name}'"));
        }
        let text = format!("{} in [{}]", self.text, names.join(", "));
        Ok(self.predicate(mask, values.len(), text))
    }

    fn value<'l>(
        &self,
        syntax: &Syntax,
        values: &[String],
        literal: &'l IdedExpr,
    ) -> Result<(usize, &'l str), Fault> {
        let Expr::Literal(LiteralValue::String(name)) = &literal.expr else {
            let example = values.last().map_or("", String::as_str);
            let sentence = format!("expected a name of `{}`, as in `'{example}'`", self.text);
            return Err(syntax.fault(literal, sentence));
        };
        let index = values.iter().position(|value| value == name.inner()).ok_or_else(|| {
            let kind = format!("value of `{}`", self.text);
            let known = values.iter().map(String::as_str);
            syntax.fault(literal, no_such(&kind, name.inner(), known))
        })?;
        Ok((index, name.inner()))
    }

    fn predicate(&self, true_values: u32, value_count: usize, text: String) -> Predicate {
        let all = u32::MAX >> (32 - value_count);
        Predicate {
            dataset: self.dataset,
            flag: self.flag.map(|(index, _)| index),
            true_values: true_values & all,
            false_values: !true_values & all,
            text,
        }
    }
}

/// The bands of which a comparison is true, one bit each; none where it is true of some numbers of
/// a band and false of others. The first band has no lower end and the last no upper.
fn bands(lower_bounds: &[i64], comparison: Comparison, number: i64) -> Option<u32> {
    let mut set = 0;
    for (index, &bound) in lower_bounds.iter().enumerate() {
        let low = if index == 0 { i64::MIN } else { bound };
        let high = lower_bounds.get(index + 1).map_or(i64::MAX, |next| next - 1);
        match comparison.possible(low, high, number) {
            (true, true) => return None,
            (can_true, _) => set |= u32::from(can_true) << index,
        }
    }
    Some(set)
}

fn inside(question: &str, lower_bounds: &[i64]) -> String {
    let edges: Vec<String> = lower_bounds[1..].iter().map(i64::to_string).collect();
    format!(
        "`{question}` is true of some numbers of a band and false of others; \
         expected `<` or `>=` with an edge: {}",
        edges.join(", ")
    )
}
