//! A town of two agencies, one of them a hotline, in a world: who is ill, who has asked for help, and
//! where everybody lives and is registered.

use std::{fmt::Write, fs, path::Path};

use proto::scope::Suite;
use tests::{city::number::with_check, deployment::Deployment, world::World};

use crate::fixture::noon;

const POLICY: &str = r#"
[programme]
id = "helpline"
zh = "求助"
en = "Help"
pending_deadline = "72h"
[cases]
work_begins = "09:00"
work_ends = "17:00"
acknowledge = "4 working hours"
street = "4 working hours"
district = "1 working day"
visit = "3 working days"
decide = "5 working days"
papers = "10 working days"
suppress = "90 days"
returns = 3
[[cases.rule]]
id = "asked"
joins = true
[[agency]]
id = "aid"
zh = "救助"
en = "Aid"
[[agency]]
id = "hotline"
zh = "热线"
en = "Hotline"
[[situation]]
id = "any"
zh = "任何"
en = "Any"
[[measure]]
id = "visit"
zh = "探访"
en = "Visit"
[[dataset]]
id = "ill"
agency = "aid"
kind = "watch"
fresh_within = "48h"
zh = "患病"
en = "Ill"
[[dataset]]
id = "work_order"
agency = "hotline"
kind = "watch"
fresh_within = "48h"
zh = "工单"
en = "Work order"
[[rule]]
id = "illness"
zh = "患病"
en = "Illness"
situation = "any"
when = "aid.ill"
assist = ["visit"]
due = "72h"
[[rule]]
id = "asked"
zh = "求助"
en = "Asked for help"
situation = "any"
when = "hotline.work_order"
assist = ["visit"]
due = "24h"
"#;

const ILL: &str = r#"
[[dataset]]
id = "ill"
kind = "watch"
csv = "data/ill.csv"
encoding = "utf-8"
k_threshold = 1
identifier = { column = "id", type = "resident_id" }
region = { residence = "lives", registration = "registered" }
"#;

const WORK_ORDER: &str = r#"
[[dataset]]
id = "work_order"
kind = "watch"
csv = "data/work_order.csv"
encoding = "utf-8"
k_threshold = 1
identifier = { column = "id", type = "resident_id" }
region = { residence = "lives" }
[dataset.work_order]
number = "number"
urgency = "urgency"
map = { "急" = "urgent" }
"#;

/// Who is ill: the number of the person, where they live, where they are registered.
pub type Ill<'t> = (u32, &'t str, &'t str);
/// A work order: the number of the person, its own, how urgent it is.
pub type Order<'t> = (u32, u64, &'t str);

/// The world of the town, not started.
pub fn helpline(ill: &[Ill<'_>], orders: &[Order<'_>]) -> World {
    let sources = |home: &Path| {
        write_town(home, ill, orders);
        Ok(())
    };
    World::new(POLICY, Suite::SaltedHash, noon(), sources, datasets).expect("a world")
}

/// The same as files, for real processes.
pub fn helpline_files(home: &Path, ill: &[Ill<'_>], orders: &[Order<'_>]) -> Deployment {
    write_town(home, ill, orders);
    Deployment::create(home, POLICY, Suite::SaltedHash, datasets).expect("a deployment")
}

fn write_town(home: &Path, ill: &[Ill<'_>], orders: &[Order<'_>]) {
    for agency in ["aid", "hotline"] {
        fs::create_dir_all(home.join(agency).join("data")).expect("made");
    }
    write_ill(home, ill);
    write_orders(home, orders);
}

fn datasets(agency: &str) -> String {
    if agency == "aid" { ILL } else { WORK_ORDER }.to_owned()
}

/// The resident number of a person.
pub fn id(person: u32) -> String {
    with_check(&format!("32019919800101{person:03}"))
}

/// Writes who is ill.
pub fn write_ill(home: &Path, ill: &[Ill<'_>]) {
    let mut text = "id,lives,registered\n".to_owned();
    for (person, lives, registered) in ill {
        writeln!(text, "{},{lives},{registered}", id(*person)).expect("a string has room");
    }
    fs::write(home.join("aid/data/ill.csv"), text).expect("written");
}

/// Writes who has asked for help; all of them live in one street.
pub fn write_orders(home: &Path, orders: &[Order<'_>]) {
    let mut text = "id,number,urgency,lives\n".to_owned();
    for (person, number, urgency) in orders {
        writeln!(text, "{},{number},{urgency},320104002003", id(*person)).expect("room");
    }
    fs::write(home.join("hotline/data/work_order.csv"), text).expect("written");
}
