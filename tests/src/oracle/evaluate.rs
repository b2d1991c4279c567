//! Rules, person by person.

use std::collections::BTreeSet;

use super::{
    Outcome, Outcomes, Policy, World,
    ast::{Expr, Op, Path},
    policy::{DatasetShape, FlagKind, Rule},
    truth::Truth,
};

/// The outcome of every rule for everybody in the base. Datasets in `stale` are not believed.
///
/// # Panics
/// If a rule names what the policy does not have: the oracle judges good policies only.
pub fn evaluate(world: &World, policy: &Policy, stale: &BTreeSet<String>) -> Outcomes {
    let watch = policy.datasets.iter().filter(|(_, shape)| shape.watch);
    let listed = watch.filter_map(|(id, _)| world.listed.get(id)).flat_map(|people| people.keys());
    let subjects: BTreeSet<&String> = listed.collect();
    let mut outcomes = Outcomes::new();
    for subject in subjects {
        for rule in &policy.rules {
            let reading = |last_known| Reading { world, policy, stale, last_known, subject };
            if let Some(outcome) = outcome(rule, &reading(false), &reading(true)) {
                outcomes.insert((subject.clone(), rule.id.clone()), outcome);
            }
        }
    }
    outcomes
}

fn outcome(rule: &Rule, strict: &Reading<'_>, last_known: &Reading<'_>) -> Option<Outcome> {
    let when = strict.truth(&rule.when);
    let when_known = last_known.truth(&rule.when);
    let unless = rule.unless.as_ref().map_or(Truth::known(false), |unless| strict.truth(unless));
    let means = rule.means.as_ref().map_or(Truth::known(true), |means| strict.truth(means));
    if when.is_false() {
        None
    } else if unless.is_true() {
        (!when_known.is_false()).then_some(Outcome::Covered)
    } else if means.is_false() {
        (!when_known.is_false()).then_some(Outcome::OverMeans)
    } else if when_known.is_false() {
        Some(Outcome::Held)
    } else if when.is_true() && unless.is_false() && means.is_true() {
        Some(Outcome::Alert)
    } else {
        Some(Outcome::Pending)
    }
}

/// The world as one subject's rules see it.
struct Reading<'a> {
    world: &'a World,
    policy: &'a Policy,
    stale: &'a BTreeSet<String>,
    /// Believe watch datasets even if they are stale.
    last_known: bool,
    subject: &'a str,
}

/// A member of the household, and the variable that stands for them.
type Member<'a> = Option<(&'a str, &'a str)>;

impl Reading<'_> {
    fn truth(&self, expression: &Expr) -> Truth {
        self.of(expression, None)
    }

    fn of(&self, expression: &Expr, member: Member<'_>) -> Truth {
        match expression {
            Expr::Literal(value) => Truth::known(*value),
            Expr::Holds(path) => self
                .listed(path)
                .unwrap_or_else(|| self.flag(path, member, |_, index| Truth::known(index == 1))),
            Expr::Compare(path, op, number) => self.flag(path, member, |kind, index| {
                let FlagKind::Bands(bounds) = kind else { panic!("{path} has no numbers") };
                compare_band(bounds, index, *op, *number)
            }),
            Expr::Is(path, equal, name) => self.flag(path, member, |kind, index| {
                Truth::known((name_of(kind, index) == name) == *equal)
            }),
            Expr::In(path, names) => self.flag(path, member, |kind, index| {
                Truth::known(names.iter().any(|name| name == name_of(kind, index)))
            }),
            Expr::Not(inner) => self.of(inner, member).not(),
            Expr::And(a, b) => self.of(a, member).and(self.of(b, member)),
            Expr::Or(a, b) => self.of(a, member).or(self.of(b, member)),
            Expr::Exists(variable, body) => self.someone(variable, body),
            Expr::All(variable, body) => self.someone(variable, &Expr::Not(body.clone())).not(),
            Expr::Size(variable, body, op, number) => self.size(variable, body, *op, *number),
        }
    }

    /// `<agency>.<watch dataset>`; nothing if the path is no such thing.
    fn listed(&self, path: &Path) -> Option<Truth> {
        let [agency, dataset] = &path.0[..] else { return None };
        let shape = self.policy.datasets.get(dataset)?;
        if !shape.watch || shape.agency != *agency {
            return None;
        }
        if self.doubts(dataset, shape) {
            return Some(Truth::UNKNOWN);
        }
        let people = self.world.listed.get(dataset);
        Some(Truth::known(people.is_some_and(|people| people.contains_key(self.subject))))
    }

    fn doubts(&self, dataset: &str, shape: &DatasetShape) -> bool {
        self.stale.contains(dataset) && !(self.last_known && shape.watch)
    }

    /// What `ask` says of the values of a flag that are possible.
    fn flag(
        &self,
        path: &Path,
        member: Member<'_>,
        ask: impl Fn(&FlagKind, usize) -> Truth,
    ) -> Truth {
        let (person, dataset, name, released) = match (&path.0[..], member) {
            ([variable, dataset, name], Some((own, member))) if variable == own => {
                (member, dataset, name, true)
            }
            ([_, dataset, name], _) | ([dataset, name], _) => {
                (self.subject, dataset, name, self.world.may_ask(dataset, self.subject))
            }
            _ => panic!("{path} is no flag"),
        };
        let shape = self.policy.datasets.get(dataset).unwrap_or_else(|| panic!("no {dataset}"));
        let (place, flag) = shape.flag(name).unwrap_or_else(|| panic!("{dataset} has no {name}"));
        let possible = if !released || self.doubts(dataset, shape) {
            u32::MAX
        } else {
            let row = self.world.listed.get(dataset).and_then(|people| people.get(person));
            row.map_or(1, |row| row[place])
        };
        let values = (0..flag.value_count()).filter(|index| possible & 1 << index != 0);
        let answers: Vec<Truth> = values.map(|index| ask(&flag.kind, index)).collect();
        Truth {
            can_true: answers.iter().any(|answer| answer.can_true),
            can_false: answers.iter().any(|answer| answer.can_false),
        }
    }

    /// The known members, and whether they are all.
    fn household(&self) -> (&[String], bool) {
        let mut registers = self.policy.datasets.iter().filter(|(_, d)| d.household.is_some());
        let doubted = registers
            .any(|(id, shape)| self.doubts(id, shape) || !self.world.may_ask(id, self.subject));
        match self.world.households.get(self.subject) {
            Some(list) if !doubted => (&list.members, list.complete),
            _ => (&[], false),
        }
    }

    fn someone(&self, variable: &str, body: &Expr) -> Truth {
        let (members, complete) = self.household();
        let found = members
            .iter()
            .map(|member| self.of(body, Some((variable, member))))
            .fold(Truth::known(false), Truth::or);
        if complete { found } else { found.or(Truth::UNKNOWN) }
    }

    fn size(&self, variable: &str, body: &Expr, op: Op, number: i64) -> Truth {
        let (members, complete) = self.household();
        let answers: Vec<Truth> =
            members.iter().map(|member| self.of(body, Some((variable, member)))).collect();
        let certain = answers.iter().filter(|answer| answer.is_true()).count();
        let possible = answers.iter().filter(|answer| answer.can_true).count();
        let (certain, possible) = (small(certain), small(possible));
        // Beyond every number a rule compares with, it makes no difference how many more there are.
        let most = if complete { possible } else { possible.max(number) + 1 };
        Truth::any_of((certain..=most).map(|size| op.holds(size, number)))
    }
}

fn small(count: usize) -> i64 {
    i64::try_from(count).expect("a household is small")
}

fn name_of(kind: &FlagKind, index: usize) -> &str {
    let FlagKind::Category(names) = kind else { panic!("a flag without names") };
    &names[index]
}

/// The band's numbers reach from its bound to below the next; the first and the last have no end.
fn compare_band(bounds: &[i64], index: usize, op: Op, number: i64) -> Truth {
    let low = if index == 0 { i64::MIN } else { bounds[index] };
    let high = bounds.get(index + 1).map_or(i64::MAX, |next| next - 1);
    // Between these numbers the answer does not change.
    let near = [low, high, number.saturating_sub(1), number, number.saturating_add(1)];
    let inside = near.into_iter().filter(|n| (low..=high).contains(n));
    Truth::any_of(inside.map(|n| op.holds(n, number)))
}
