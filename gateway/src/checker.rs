//! Checks a CEL expression against a catalogue and makes the tree that rules run.
//!
//! Owns which part of CEL a rule may use. What a name refers to is `reference`'s business; nothing
//! is evaluated here.

use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, operators as op};

use crate::{
    catalogue::Catalogue,
    expression::{Comparison, HouseholdTerm, Quantity, Tree},
    policy_catalogue::HOUSEHOLD,
    policy_error::Fault,
    reference::{Scope, resolve},
    syntax::{Syntax, parse},
};

/// Checks an expression. Faults have byte offsets in `source`.
pub(crate) fn check(source: &str, catalogue: &Catalogue) -> Result<Tree, Fault> {
    let (expression, syntax) = parse(source)?;
    Checker { catalogue, syntax: &syntax }.condition(&expression, Scope::Subject)
}

struct Checker<'a> {
    catalogue: &'a Catalogue,
    syntax: &'a Syntax,
}

impl Checker<'_> {
    fn condition(&self, expression: &IdedExpr, scope: Scope<'_>) -> Result<Tree, Fault> {
        match &expression.expr {
            Expr::Literal(LiteralValue::Boolean(value)) => Ok(Tree::Const(*value.inner())),
            Expr::Ident(_) | Expr::Select(_) => {
                let path = self.syntax.path(expression)?;
                resolve(&path, self.catalogue, scope)?.holds().map(Tree::Predicate)
            }
            Expr::Call(call) => self.call(expression, call, scope),
            _ => Err(self.syntax.fault(
                expression,
                "this is no condition; expected a flag, a comparison or `household`",
            )),
        }
    }

    fn call(
        &self,
        expression: &IdedExpr,
        call: &CallExpr,
        scope: Scope<'_>,
    ) -> Result<Tree, Fault> {
        let condition = |part| self.condition(part, scope);
        match (call.func_name.as_str(), &call.args[..]) {
            (op::LOGICAL_AND, [left, right]) => Ok(condition(left)?.and(condition(right)?)),
            (op::LOGICAL_OR, [left, right]) => Ok(condition(left)?.or(condition(right)?)),
            (op::LOGICAL_NOT, [inner]) => Ok(Tree::Not(Box::new(condition(inner)?))),
            (op::IN, [left, right]) => {
                let path = self.syntax.path(left)?;
                let reference = resolve(&path, self.catalogue, scope)?;
                reference.among(self.syntax, right).map(Tree::Predicate)
            }
            (op::EXISTS, [_, _]) => self.household(expression, call, Quantity::Exists, scope),
            (op::ALL, [_, _]) => self.household(expression, call, Quantity::All, scope),
            (op::FILTER, _) => Err(self.syntax.fault(
                expression,
                "`filter` is no condition by itself; \
                 expected `.size()` and a comparison after it, as in `.size() >= 2`",
            )),
            (name, [left, right]) => match comparison(name) {
                Some(comparison) => self.comparison(expression, comparison, left, right, scope),
                None => Err(self.unavailable(expression, name)),
            },
            (name, _) => Err(self.unavailable(expression, name)),
        }
    }

    fn comparison(
        &self,
        expression: &IdedExpr,
        comparison: Comparison,
        left: &IdedExpr,
        right: &IdedExpr,
        scope: Scope<'_>,
    ) -> Result<Tree, Fault> {
        if let Expr::Call(size) = &left.expr
            && let ("size", Some(target), []) = (&size.func_name[..], &size.target, &size.args[..])
            && let Expr::Call(filter) = &target.expr
            && filter.func_name == op::FILTER
        {
            let number = self.syntax.count(right)?;
            return self.household(left, filter, Quantity::Count { comparison, number }, scope);
        }
        let path = self.syntax.path(left)?;
        let reference = resolve(&path, self.catalogue, scope)?;
        let operator = self.syntax.operator(expression);
        reference.compares(self.syntax, comparison, operator, right).map(Tree::Predicate)
    }

    fn household(
        &self,
        expression: &IdedExpr,
        call: &CallExpr,
        quantity: Quantity,
        scope: Scope<'_>,
    ) -> Result<Tree, Fault> {
        let fault = |sentence: String| Err(self.syntax.fault(expression, sentence));
        let name = &call.func_name;
        let target = call.target.as_ref().map(|target| &target.expr);
        if !matches!(target, Some(Expr::Ident(target)) if target == HOUSEHOLD) {
            return fault(format!(
                "`{name}` is asked of the household only; expected `{HOUSEHOLD}.{name}(m, ...)`"
            ));
        }
        if matches!(scope, Scope::Member { .. }) {
            return fault(
                "a household question stands inside another; expected flags of the member".into(),
            );
        }
        let found = self.catalogue.datasets.iter().enumerate().find_map(|(number, dataset)| {
            Some((number, &dataset.schema.household.as_ref()?.datasets))
        });
        let Some((dataset, readable)) = found else {
            return fault(
                "no dataset of this policy holds households; expected flags of the person".into(),
            );
        };
        let [variable, inner] = &call.args[..] else {
            return fault(format!("expected `{HOUSEHOLD}.{name}(m, m.dataset.flag)`"));
        };
        let Expr::Ident(variable) = &variable.expr else {
            return Err(self.syntax.fault(variable, "expected a name for the member, as in `m`"));
        };
        let inner = self.condition(inner, Scope::Member { variable, readable })?;
        let text = match quantity {
            Quantity::Exists => format!("{HOUSEHOLD}.exists({variable}, {inner})"),
            Quantity::All => format!("{HOUSEHOLD}.all({variable}, {inner})"),
            Quantity::Count { comparison, number } => {
                let sign = comparison.sign();
                format!("{HOUSEHOLD}.filter({variable}, {inner}).size() {sign} {number}")
            }
        };
        Ok(Tree::Household(HouseholdTerm { dataset, quantity, inner: Box::new(inner), text }))
    }

    fn unavailable(&self, expression: &IdedExpr, name: &str) -> Fault {
        let name: String = name.chars().filter(|&c| c != '_' && c != '@').collect();
        let sentence = format!(
            "a rule cannot use `{name}`; \
             expected flags, `&& || !`, comparisons, `in` and `household`"
        );
        Fault::new(self.syntax.operator(expression), sentence)
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        op::EQUALS => Comparison::Equal,
        op::NOT_EQUALS => Comparison::NotEqual,
        op::LESS => Comparison::Less,
        op::LESS_EQUALS => Comparison::LessOrEqual,
        op::GREATER => Comparison::Greater,
        op::GREATER_EQUALS => Comparison::GreaterOrEqual,
        _ => return None,
    })
}
