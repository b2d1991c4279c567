//! The rows an agency's file holds for a resident, as typed cells, here and there with a cell nobody
//! can read. The truth is read from the same rows; how they look as text is `write`'s business.

use jiff::civil::Date;
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{
    catalogue::{Dataset, HOUSEHOLDS, WORK_ORDERS},
    number::legacy,
    resident::Resident,
};

/// One row of a file.
#[derive(Debug)]
pub struct Row {
    /// The dataset's own columns.
    pub cells: Vec<Cell>,
    /// Written with the 15-digit number.
    pub upgraded: bool,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// A word.
    Text(&'static str),
    /// A whole number.
    Number(i64),
    /// A day.
    Date(Date),
    /// What should have been a word, number or date and is not.
    Broken(&'static str),
}

/// Chance that is always the same for one resident in one file, whatever happens to others.
pub(super) fn chance(seed: u64, dataset: &str, resident: &str, purpose: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for part in [dataset, "/", resident, "/", purpose] {
        hasher.update(part.as_bytes());
    }
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Whether a dataset has rows of a resident.
pub fn lists(dataset: &Dataset, resident: &Resident) -> bool {
    !facts(dataset, resident).is_empty()
}

fn facts(dataset: &Dataset, resident: &Resident) -> Vec<Vec<Cell>> {
    if dataset.is_watch() { listed(dataset, resident) } else { known(dataset.id, resident) }
}

/// The rows of a resident in a dataset, none if it does not list them.
pub fn rows(dataset: &Dataset, resident: &Resident, seed: u64) -> Vec<Row> {
    let mut rows = facts(dataset, resident);
    if rows.is_empty() {
        return vec![];
    }
    let mut rng = chance(seed, dataset.id, &resident.id, "rows");
    if rng.random_bool(0.01) {
        let again = rows[0].clone();
        let adds_up = dataset.flags.iter().any(|flag| flag.rule.adds_up());
        if !adds_up {
            rows.push(again);
        }
    }
    let make = |mut cells: Vec<Cell>| {
        if rng.random_bool(0.006) {
            damage(dataset, &mut cells, &mut rng);
        }
        let can = !dataset.has_certificates() && dataset.id != HOUSEHOLDS;
        let upgraded = can && rng.random_bool(0.008) && legacy(&resident.id).is_some();
        Row { cells, upgraded }
    };
    rows.into_iter().map(make).collect()
}

fn damage(dataset: &Dataset, cells: &mut [Cell], rng: &mut ChaCha8Rng) {
    const BAD: [&str; 4] = ["", "不详", "待核实", "/"];
    let columns = dataset.flags.iter().filter_map(|flag| flag.rule.fragile_column());
    let columns: Vec<_> = columns.filter(|column| !column.starts_with('@')).collect();
    if let Some(column) = columns.choose(rng) {
        cells[dataset.column(column)] = Cell::Broken(BAD.choose(rng).expect("not empty"));
    }
}

fn listed(dataset: &Dataset, resident: &Resident) -> Vec<Vec<Cell>> {
    let Some(listing) = resident.listings.get(dataset.id) else { return vec![] };
    let since = Cell::Date(listing.since);
    if dataset.has_certificates() {
        let (kind, level) = listing.certificate;
        let kind = ["1", "2", "3", "4", "5", "6", "7"][usize::from(kind) - 1];
        return vec![vec![since, Cell::Text(kind), Cell::Number(level.into())]];
    }
    if dataset.id == WORK_ORDERS {
        let row = |&(number, urgency): &(i64, &'static str)| {
            vec![Cell::Number(number), Cell::Text(urgency)]
        };
        return resident.orders.iter().map(row).collect();
    }
    if dataset.id == "high_out_of_pocket" {
        let row = |&paid: &i64| vec![Cell::Number(paid), since.clone()];
        return listing.payments.iter().map(row).collect();
    }
    vec![vec![since]]
}

fn known(dataset: &str, resident: &Resident) -> Vec<Vec<Cell>> {
    use Cell::{Date, Number, Text};
    let one = |cell: Cell| vec![cell];
    let yes_no = |yes, a, b| Text(if yes { a } else { b });
    match dataset {
        "assistance_in_force" => resident.assistance.map(Text).map(one).into_iter().collect(),
        "marriage_registration" => resident.marriage.iter().map(|kind| vec![Text(kind)]).collect(),
        "funeral_cremation" => {
            resident.death.filter(|_| resident.cremated).map(Date).map(one).into_iter().collect()
        }
        "disability_elder_allowance" => resident.allowance.map(Text).map(one).into_iter().collect(),
        "household_registration" => {
            let number = Number(i64::try_from(resident.household).expect("a count"));
            resident.registration.map(|s| vec![Text(s), number]).into_iter().collect()
        }
        "death_cancellation" => resident.death.map(Date).map(one).into_iter().collect(),
        "vehicle_registration" => {
            resident.vehicles.iter().map(|&price| vec![Text("非营运"), Number(price)]).collect()
        }
        "social_insurance_payment" => {
            let insurance = resident.insurance.iter();
            insurance.map(|paid| vec![Number(paid.base), Date(paid.last_paid)]).collect()
        }
        "pension_benefit" => resident.pension.map(Number).map(one).into_iter().collect(),
        "unemployment_benefit_payment" => resident.benefit.map(Text).map(one).into_iter().collect(),
        "real_estate_registration" => resident.estates.iter().map(|&e| vec![Text(e)]).collect(),
        "housing_transaction" => {
            let row = |(sold, leased)| vec![yes_no(sold, "是", "否"), yes_no(leased, "有效", "无")];
            resident.housing.map(row).into_iter().collect()
        }
        "market_entity" => {
            resident.entities.iter().map(|&(kind, days)| vec![Text(kind), Number(days)]).collect()
        }
        "shareholding_position" => resident.capital.iter().map(|&c| vec![Number(c)]).collect(),
        "tax_declaration" => resident.income.iter().map(|&income| vec![Number(income)]).collect(),
        "provident_fund_deposit" => resident.deposit.map(Number).map(one).into_iter().collect(),
        "provident_fund_use" => resident.withdrawal.map(Date).map(one).into_iter().collect(),
        other => unreachable!("{other} is no data line of the catalogue"),
    }
}
