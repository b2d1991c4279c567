//! Who lives in the city: households with plausible ages, names, addresses and numbers.
//!
//! What they own and earn is `economy`; what befalls them is `stories`.

use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
};

use jiff::{ToSpan, civil::Date};
use rand::{RngExt, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

use super::{
    number::{COUNTY, PERMITS, number},
    resident::Resident,
};

const FAMILY_NAMES: &str = "王李张刘陈杨黄赵吴周徐孙马朱胡林郭何高罗郑梁谢宋唐许邓冯韩曹曾彭萧蔡潘田董袁于余叶蒋杜苏魏程吕丁沈任姚卢傅钟姜崔谭廖范汪陆金石戴贾韦夏邱方侯邹熊孟秦白江阎薛尹段雷黎史龙陶贺顾毛郝龚邵万钱严覃武戚莫孔向汤";
const GIVEN_NAMES: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红梅建国志文斌鹏飞宇浩晨欣怡子涵梓萱思雨佳琪嘉豪俊雪莹海燕春花德福永贵淑珍凤琴云龙庆祥㛃䶮";
const DISTRICTS: [(&str, &str); 4] =
    [("320102", "玄武区"), ("320104", "秦淮区"), ("320105", "建邺区"), ("320106", "鼓楼区")];
const ROADS: [&str; 8] =
    ["梧桐路", "银杏巷", "紫藤街", "石榴弄", "桂花里", "青竹路", "白鹭街", "云锦巷"];
/// Births of a day that get a number.
pub(super) const BIRTHS: u16 = 995;
/// So often somebody's number may be taken before they are a year older.
const ATTEMPTS: i32 = 16;
/// Cumulative shares, in thousandths, of households of 1, 2, 3 ... members.
const SIZES: [u32; 12] = [150, 400, 680, 840, 925, 975, 988, 995, 997, 998, 999, 1000];

/// What of a city's numbers a part of it has: no other part uses them.
pub(super) struct Numbers {
    /// Households and residents are counted from here.
    pub(super) first: usize,
    /// Which births of a day.
    pub(super) births: RangeInclusive<u16>,
}

impl Numbers {
    /// Those of a city that has no parts.
    pub(super) const ALL: Self = Self { first: 0, births: 1..=BIRTHS };
}

/// Everybody, household by household.
pub(super) fn settle(
    population: usize,
    numbers: &Numbers,
    today: Date,
    rng: &mut ChaCha8Rng,
) -> Vec<Resident> {
    let births = numbers.births.clone();
    let mut registry = Registry { today, births, taken: HashSet::new() };
    let mut residents = Vec::with_capacity(population);
    let mut household = numbers.first;
    while residents.len() < population {
        let size = draw_size(rng).min(population - residents.len());
        let family = family_name(rng);
        let (region, address) = home(household, rng);
        for (role, age) in ages(size, rng).into_iter().enumerate() {
            let name_of = if role == 1 { family_name(rng) } else { family };
            let (id, born) = registry.birth(age, rng);
            let serial = numbers.first + residents.len();
            residents.push(Resident {
                id,
                name: full_name(name_of, serial, rng),
                phone: format!("100{:08}", serial + 20_000_000),
                address: address.clone(),
                region: region.clone(),
                born,
                household,
                ..nobody(born)
            });
        }
        household += 1;
    }
    if population >= 500 && numbers.first == 0 {
        give_permits(&mut residents);
    }
    residents
}

/// A resident of whom nothing is known yet.
pub(super) fn nobody(born: Date) -> Resident {
    Resident {
        id: String::new(),
        name: String::new(),
        phone: String::new(),
        address: String::new(),
        region: String::new(),
        born,
        household: 0,
        listings: BTreeMap::new(),
        orders: vec![],
        registration: None,
        death: None,
        cremated: false,
        assistance: None,
        allowance: None,
        marriage: vec![],
        vehicles: vec![],
        insurance: None,
        pension: None,
        benefit: None,
        estates: vec![],
        housing: None,
        entities: vec![],
        capital: vec![],
        income: vec![],
        deposit: None,
        withdrawal: None,
    }
}

/// Three grown-ups came from Hong Kong, Macao and Taiwan and are known by their residence permit.
fn give_permits(residents: &mut [Resident]) {
    let grown_up = |resident: &&mut Resident| resident.born.year() < 2000;
    for (resident, permit) in residents.iter_mut().filter(grown_up).skip(40).zip(PERMITS) {
        resident.born = jiff::civil::date(1990, 1, 1);
        resident.id = permit.into();
    }
}

/// Births so far: nobody gets a number twice.
struct Registry {
    today: Date,
    births: RangeInclusive<u16>,
    taken: HashSet<String>,
}

impl Registry {
    /// Where a year has nearly as many births as there are numbers, somebody is a year older.
    fn birth(&mut self, age: i16, rng: &mut ChaCha8Rng) -> (String, Date) {
        for attempt in 0.. {
            let days: i32 = rng.random_range(5..360);
            let span = (i32::from(age) + attempt / ATTEMPTS).years();
            let born = self.today.saturating_sub(span).saturating_sub(days.days());
            let id = number(born, rng.random_range(self.births.clone()));
            // A file with many numbers ending in 000 is taken for one that Excel has damaged.
            if !id.ends_with("000") && self.taken.insert(id.clone()) {
                debug_assert!(id.starts_with(COUNTY), "the county of nobody");
                return (id, born);
            }
        }
        unreachable!("more people than there are numbers")
    }
}

fn draw_size(rng: &mut ChaCha8Rng) -> usize {
    let share = rng.random_range(0..1000);
    1 + SIZES.iter().position(|&limit| share < limit).expect("the last share is 1000")
}

/// Ages of a household's members: a head, mostly a spouse, then children or old parents.
fn ages(size: usize, rng: &mut ChaCha8Rng) -> Vec<i16> {
    let head = if size == 1 { rng.random_range(22..90) } else { rng.random_range(24..80) };
    let single_parent = size > 1 && rng.random_bool(0.15);
    let others = (1..size).map(|role| {
        if role == 1 && !single_parent {
            (head + rng.random_range(-4..5)).max(22)
        } else if role >= 3 && head < 60 && rng.random_bool(0.5) {
            (head + rng.random_range(22..32)).min(97)
        } else if role >= 3 && head >= 50 && rng.random_bool(0.5) {
            (head - rng.random_range(46..60)).max(0)
        } else {
            (head - rng.random_range(22..38)).max(0)
        }
    });
    [head].into_iter().chain(others.collect::<Vec<_>>()).collect()
}

fn letter(letters: &str, rng: &mut ChaCha8Rng) -> char {
    // All letters take three bytes in UTF-8.
    let place = rng.random_range(0..letters.len() / 3) * 3;
    letters[place..].chars().next().expect("the place is before the end")
}

fn family_name(rng: &mut ChaCha8Rng) -> char {
    letter(FAMILY_NAMES, rng)
}

fn full_name(family: char, serial: usize, rng: &mut ChaCha8Rng) -> String {
    let (first, second) = (letter(GIVEN_NAMES, rng), letter(GIVEN_NAMES, rng));
    if serial % 300 == 299 {
        return format!("阿卜杜{first}·买买{second}");
    }
    format!("{family}{first}{second}")
}

fn home(household: usize, rng: &mut ChaCha8Rng) -> (String, String) {
    let (code, district) = DISTRICTS.choose(rng).expect("not empty");
    let (street, community) = (rng.random_range(1..6), rng.random_range(1..8));
    let road = ROADS.choose(rng).expect("not empty");
    let region = format!("{code}{street:03}{community:03}");
    let (block, flat) = (rng.random_range(1..20), rng.random_range(101..1800));
    (region, format!("南京市{district}{road}{}号{block}幢{flat}室", household + 1001))
}
