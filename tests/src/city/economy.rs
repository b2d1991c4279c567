//! What residents own and earn before anything befalls them.

use jiff::{ToSpan, civil::Date};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::resident::{Insurance, Resident};

/// A day in the past.
pub(super) fn days_ago(today: Date, days: i32) -> Date {
    today.saturating_sub(days.days())
}

/// Gives every resident a natural life.
pub(super) fn furnish(residents: &mut [Resident], today: Date, rng: &mut ChaCha8Rng) {
    let mut first_of = usize::MAX;
    for resident in residents {
        let head = resident.household != first_of;
        first_of = resident.household;
        register(resident, today, rng);
        let age = resident.age(today);
        if age >= 22 {
            grow_up(resident, head, rng);
        }
        if (22..60).contains(&age) {
            work(resident, today, rng);
        } else if age >= 60 && rng.random_bool(0.75) {
            let range = [(300, 1000), (1100, 2090), (2110, 3990), (2110, 3990), (4010, 9000)];
            resident.pension = Some(between(range, rng));
        }
        if age >= 80 && rng.random_bool(0.7) {
            resident.allowance = Some("正常发放");
        }
    }
}

fn between<const N: usize>(ranges: [(i64, i64); N], rng: &mut ChaCha8Rng) -> i64 {
    let (low, high) = *ranges.choose(rng).expect("not empty");
    rng.random_range(low..high)
}

fn register(resident: &mut Resident, today: Date, rng: &mut ChaCha8Rng) {
    resident.registration = match rng.random_range(0..1000) {
        0..3 => None,
        3..25 => Some("外市"),
        25..32 => Some("迁出"),
        _ => Some("本市"),
    };
    let dies = if resident.age(today) > 70 { 0.02 } else { 0.001 };
    if rng.random_bool(dies) {
        resident.death = Some(days_ago(today, rng.random_range(20..900)));
        resident.cremated = rng.random_bool(0.8);
    }
}

fn grow_up(resident: &mut Resident, head: bool, rng: &mut ChaCha8Rng) {
    match rng.random_range(0..1000) {
        0..650 => resident.marriage.push("结婚"),
        650..710 => resident.marriage.push("离婚"),
        710..714 => resident.marriage.extend(["结婚", "离婚"]),
        _ => {}
    }
    let cars = [0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2].choose(rng).expect("not empty");
    for _ in 0..*cars {
        let price = if rng.random_bool(0.12) { (150_000, 600_000) } else { (30_000, 149_000) };
        resident.vehicles.push(between([price], rng));
    }
    if head {
        let homes = [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3].choose(rng).expect("not empty");
        resident.estates.extend(vec!["住宅"; *homes]);
        if rng.random_bool(0.05) {
            resident.estates.push(["商业", "办公", "工业", "车位"].choose(rng).expect("not empty"));
        }
        if rng.random_bool(0.05) {
            resident.housing = Some((rng.random_bool(0.3), rng.random_bool(0.7)));
        }
    }
}

fn work(resident: &mut Resident, today: Date, rng: &mut ChaCha8Rng) {
    if rng.random_bool(0.05) {
        let closed = if rng.random_bool(0.2) { (95, 600) } else { (0, 80) };
        let kind = ["个体工商户", "个体工商户", "个体工商户", "有限责任公司", "个人独资企业"];
        resident.entities.push((kind.choose(rng).expect("not empty"), between([closed], rng)));
    }
    if rng.random_bool(0.03) {
        resident.capital.push(between([(5_000, 90_000), (100_000, 3_000_000)], rng));
        if rng.random_bool(0.2) {
            resident.capital.push(between([(5_000, 90_000)], rng));
        }
    }
    if !rng.random_bool(0.8) {
        return;
    }
    let base =
        [(1800, 2480), (2500, 4480), (2500, 4480), (4500, 7990), (4500, 7990), (8000, 20_000)];
    let base = between(base, rng);
    let last = if rng.random_bool(0.93) { (10, 45) } else { (80, 700) };
    let last_paid = days_ago(today, i32::try_from(between([last], rng)).expect("days"));
    resident.insurance = Some(Insurance { base, last_paid });
    if rng.random_bool(0.6) {
        resident.deposit = Some(base);
        if rng.random_bool(0.15) {
            resident.withdrawal = Some(days_ago(today, rng.random_range(20..340)));
        } else if rng.random_bool(0.1) {
            resident.withdrawal = Some(days_ago(today, rng.random_range(390..2000)));
        }
    }
    if rng.random_bool(0.7) {
        resident.income.push(base * 12);
        if rng.random_bool(0.08) {
            resident.income.push(between([(2_000, 30_000)], rng));
        }
    }
}
