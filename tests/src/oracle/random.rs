//! Random rules and random small worlds over any policy, for comparing the product with the oracle.
//!
//! Rules stay inside what a policy may say: numbers are compared at edges of bands only.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{
    collection::{btree_set, vec},
    prelude::{BoxedStrategy, Just, Strategy, any},
    prop_oneof,
    sample::select,
};

use super::{
    HouseholdList, PersonId, Policy, Rule, World,
    ast::{Expr, Op, Path},
    policy::{DatasetShape, FlagKind, FlagShape},
};
use crate::city::number::number;

/// A policy of a few datasets: small enough for random worlds to be full of coincidences.
pub const SMALL_POLICY: &str = include_str!("small_policy.toml");

/// What adapters would send about a small world.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// Everybody, in file order.
    pub people: Vec<PersonId>,
    /// Dataset, person, flag bytes: exact values, coarser groups, 255 for unknown.
    pub rows: BTreeMap<String, BTreeMap<PersonId, Vec<u8>>>,
    /// Household numbers, in the order of `people`; they count for those a register lists. 0 where
    /// the register does not say.
    pub homes: Vec<usize>,
    /// Households of which the register has one more row that cannot be read.
    pub torn: BTreeSet<usize>,
}

impl Sources {
    /// The same for the oracle, as far as the policy knows the datasets. Of a household too large for a row it takes the person, and then
    /// others in the order of `rank`.
    pub fn world<R: Ord>(&self, policy: &Policy, rank: impl Fn(&PersonId) -> R) -> World {
        let listed = self.rows.iter().filter_map(|(id, people)| {
            let flags = &policy.datasets.get(id)?.flags;
            let set = |row: &Vec<u8>| row.iter().zip(flags).map(|(&b, f)| f.possible(b)).collect();
            Some((id.clone(), people.iter().map(|(p, row)| (p.clone(), set(row))).collect()))
        });
        let register = policy.datasets.iter().find(|(_, shape)| shape.household.is_some());
        let households = register.map_or_else(BTreeMap::new, |(id, shape)| {
            let room = shape.household.as_ref().map_or(0, |(room, _)| *room);
            self.households(id, room, rank)
        });
        World { listed: listed.collect(), households, ..World::default() }
    }

    fn households<R: Ord>(
        &self,
        register: &str,
        room: usize,
        rank: impl Fn(&PersonId) -> R,
    ) -> BTreeMap<PersonId, HouseholdList> {
        let is_listed =
            |person: &&PersonId| self.rows.get(register).is_some_and(|r| r.contains_key(*person));
        let homes = self.people.iter().zip(&self.homes).filter(|(person, _)| is_listed(person));
        let list = |person: &PersonId, home: usize| {
            let others = homes.clone().filter(|(p, h)| **h == home && *p != person);
            let mut others: Vec<_> = others.map(|(p, _)| p.clone()).collect();
            others.sort_by_key(&rank);
            if home == 0 {
                others.clear();
            }
            let complete = home != 0 && others.len() < room && !self.torn.contains(&home);
            let members = std::iter::once(person.clone()).chain(others).take(room).collect();
            HouseholdList { members, complete }
        };
        homes.clone().map(|(person, home)| (person.clone(), list(person, *home))).collect()
    }
}

/// Sources about up to `people` people; each dataset lists about half of them.
pub fn sources(policy: &Policy, people: usize) -> BoxedStrategy<Sources> {
    let policy = policy.datasets.clone();
    let sized = (1..=people).prop_flat_map(move |count| {
        let born = jiff::civil::date(1980, 1, 1);
        let sequence = |n: usize| u16::try_from(n + 1).expect("a small world");
        let people: Vec<PersonId> = (0..count).map(|n| number(born, sequence(n))).collect();
        let lists: Vec<_> = policy.iter().map(|(id, shape)| list(id, shape, &people)).collect();
        let homes = vec(0..=count.div_ceil(2), count);
        let torn = btree_set(1..=count, 0..2);
        (lists, homes, torn).prop_map(move |(lists, homes, torn)| Sources {
            people: people.clone(),
            rows: lists.into_iter().collect(),
            homes,
            torn,
        })
    });
    sized.boxed()
}

type List = (String, BTreeMap<PersonId, Vec<u8>>);

fn list(id: &str, shape: &DatasetShape, people: &[PersonId]) -> BoxedStrategy<List> {
    let row: Vec<_> = shape.flags.iter().map(byte).collect();
    let rows = vec((any::<bool>(), row), people.len());
    let (id, people) = (id.to_owned(), people.to_vec());
    let name = move |rows: Vec<(bool, Vec<u8>)>| {
        let listed = people.iter().cloned().zip(rows).filter(|(_, (listed, _))| *listed);
        (id.clone(), listed.map(|(person, (_, row))| (person, row)).collect())
    };
    rows.prop_map(name).boxed()
}

/// Mostly exact values, some groups, some unknown.
fn byte(flag: &FlagShape) -> BoxedStrategy<u8> {
    let count = u8::try_from(flag.value_count()).expect("few values");
    let groups = count..count + u8::try_from(flag.coarser.len()).expect("few groups");
    let exact = 0..count;
    if groups.is_empty() {
        prop_oneof![6 => exact, 1 => Just(255)].boxed()
    } else {
        prop_oneof![6 => exact, 1 => groups, 1 => Just(255)].boxed()
    }
}

/// A rule over the policy's datasets.
///
/// # Panics
/// If the policy has no watch dataset or no flag.
pub fn rule(policy: &Policy, id: &str) -> BoxedStrategy<Rule> {
    let subject = expression(policy);
    let option = || proptest::option::of(expression(policy));
    let watch = select(memberships(policy));
    let when = (subject, watch, any::<bool>()).prop_map(|(rest, watch, both)| {
        if both { Expr::And(Box::new(watch), Box::new(rest)) } else { rest }
    });
    let id = id.to_owned();
    let rule = move |(when, unless, means)| Rule { id: id.clone(), when, unless, means };
    (when, option(), option()).prop_map(rule).boxed()
}

/// An expression about a subject, household included if the policy has one.
pub fn expression(policy: &Policy) -> BoxedStrategy<Expr> {
    let mut questions = memberships(policy);
    for (id, shape) in &policy.datasets {
        let prefix = if shape.watch { format!("{}.{id}", shape.agency) } else { id.clone() };
        questions.extend(shape.flags.iter().flat_map(|flag| about(&prefix, flag)));
    }
    let single = select(questions).boxed();
    let household = policy.datasets.values().find_map(|shape| shape.household.as_ref());
    let Some((_, askable)) = household else { return combined(single) };
    let member = askable.iter().filter_map(|id| Some((id, policy.datasets.get(id)?)));
    let questions: Vec<Expr> = member
        .flat_map(|(id, shape)| shape.flags.iter().map(move |flag| (format!("m.{id}"), flag)))
        .flat_map(|(prefix, flag)| about(&prefix, flag))
        .collect();
    let body = || combined(select(questions.clone()).boxed()).prop_map(Box::new);
    let size = (body(), select(&Op::ALL[..]), 0..4i64);
    let leaf = prop_oneof![
        6 => single,
        1 => body().prop_map(|body| Expr::Exists("m".into(), body)),
        1 => body().prop_map(|body| Expr::All("m".into(), body)),
        1 => size.prop_map(|(body, (op, _), n)| Expr::Size("m".into(), body, op, n)),
    ];
    combined(leaf.boxed())
}

fn combined(leaf: BoxedStrategy<Expr>) -> BoxedStrategy<Expr> {
    let grow = |inner: BoxedStrategy<Expr>| {
        let two = || (inner.clone().prop_map(Box::new), inner.clone().prop_map(Box::new));
        prop_oneof![
            two().prop_map(|(a, b)| Expr::And(a, b)),
            two().prop_map(|(a, b)| Expr::Or(a, b)),
            inner.clone().prop_map(|inner| Expr::Not(Box::new(inner))),
        ]
    };
    leaf.prop_recursive(3, 8, 2, grow).boxed()
}

fn memberships(policy: &Policy) -> Vec<Expr> {
    let watch = policy.datasets.iter().filter(|(_, shape)| shape.watch);
    watch.map(|(id, shape)| Expr::Holds(Path::new(&format!("{}.{id}", shape.agency)))).collect()
}

/// Everything a rule may ask about a flag.
fn about(prefix: &str, flag: &FlagShape) -> Vec<Expr> {
    let path = Path::new(&format!("{prefix}.{}", flag.name));
    match &flag.kind {
        FlagKind::Boolean => vec![Expr::Holds(path)],
        FlagKind::Category(names) => {
            let pairs = names.windows(2).map(|pair| Expr::In(path.clone(), pair.to_vec()));
            let single = names.iter().flat_map(|name| {
                [true, false].map(|equal| Expr::Is(path.clone(), equal, name.clone()))
            });
            pairs.chain(single).collect()
        }
        FlagKind::Bands(bounds) => {
            let compare = |op, number| Expr::Compare(path.clone(), op, number);
            let edges = bounds[1..].iter().flat_map(|&edge| {
                [
                    (Op::Less, edge),
                    (Op::AtLeast, edge),
                    (Op::AtMost, edge - 1),
                    (Op::More, edge - 1),
                ]
            });
            let alone = bounds.windows(2).skip(1).filter(|pair| pair[0] + 1 == pair[1]);
            let equals = alone.flat_map(|pair| [(Op::Equal, pair[0]), (Op::Unequal, pair[0])]);
            edges.chain(equals).map(|(op, number)| compare(op, number)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::{prop_assert, prop_assert_eq, proptest};

    use super::*;
    use crate::oracle::{Outcome, evaluate, parse};

    fn policy() -> Policy {
        Policy::read(SMALL_POLICY).expect("the small policy is good")
    }

    proptest! {
        #[test]
        fn an_expression_survives_print_and_parse(expression in expression(&policy())) {
            let text = expression.to_string();
            prop_assert_eq!(parse(&text), Ok(expression), "{}", text);
        }

        #[test]
        fn doubt_never_hides_an_alert(
            sources in sources(&policy(), 6),
            rule in rule(&policy(), "r"),
        ) {
            let policy = Policy { rules: vec![rule], ..policy() };
            let world = sources.world(&policy, PersonId::clone);
            let fresh = evaluate(&world, &policy, &BTreeSet::new());
            for dataset in policy.datasets.keys() {
                let stale = evaluate(&world, &policy, &BTreeSet::from([dataset.clone()]));
                for (key, outcome) in &fresh {
                    if *outcome == Outcome::Alert {
                        let now = stale.get(key);
                        prop_assert!(matches!(now, Some(Outcome::Alert | Outcome::Pending)));
                    }
                }
            }
        }
    }
}
