//! A federation whose base is as large as wanted, and whose small agency changes one person at a time.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use jiff::{
    Timestamp,
    civil::{Date, date},
};
use proto::scope::Suite;
use tests::{city::number, world::World};

const POLICY: &str = include_str!("latency_policy.toml");
/// Births that one day can number.
const DAY: usize = 999;
/// People of the small agency; all of them are in the base.
pub const CHANGING: usize = 1000;
/// People of a household.
const TOGETHER: usize = 3;

/// What the small agency's files say of one of its people.
#[derive(Clone, Copy)]
pub struct Worker {
    /// Lost the job of late.
    pub recent: bool,
    /// Gets a benefit.
    pub benefit: bool,
}

/// The small agency.
pub struct Labour {
    home: PathBuf,
    workers: Vec<Worker>,
}

/// Writes everybody's files and makes the federation; nothing is started.
///
/// # Errors
/// The file system's.
pub fn world(people: usize) -> anyhow::Result<(World, Labour)> {
    let files = |dir: &Path| sources(dir, people);
    let world = World::new(POLICY, Suite::SaltedHash, Timestamp::now(), files, datasets)?;
    let workers = vec![Worker { recent: false, benefit: false }; CHANGING];
    let labour = Labour { home: world.deployment.dir.join("labour"), workers };
    Ok((world, labour))
}

impl Labour {
    /// Writes down that something is otherwise for one of its people.
    ///
    /// # Errors
    /// The file system's.
    pub fn change(&mut self, place: usize, change: impl FnOnce(&mut Worker)) -> anyhow::Result<()> {
        change(&mut self.workers[place]);
        self.write()
    }

    fn write(&self) -> anyhow::Result<()> {
        let (mut unemployed, mut benefit) = ("id,recent\n".to_owned(), "id,any\n".to_owned());
        for (id, worker) in ids().zip(&self.workers) {
            writeln!(unemployed, "{id},{}", u8::from(worker.recent))?;
            writeln!(benefit, "{id},{}", u8::from(worker.benefit))?;
        }
        for (name, text) in [("unemployed", unemployed), ("benefit", benefit)] {
            // Whoever reads meanwhile reads the one or the other.
            let beside = self.home.join(format!("{name}.new"));
            fs::write(&beside, text)?;
            fs::rename(beside, self.home.join(format!("{name}.csv")))?;
        }
        Ok(())
    }
}

fn ids() -> impl Iterator<Item = String> {
    let first: Date = date(1950, 1, 1);
    let days = std::iter::successors(Some(first), |day| day.tomorrow().ok());
    let births = |day| (1..=DAY).map(move |n| (day, u16::try_from(n).expect("at most 999")));
    days.flat_map(births).map(|(day, sequence)| number::number(day, sequence))
}

fn sources(dir: &Path, people: usize) -> anyhow::Result<()> {
    let mut poor = "id\n".to_owned();
    let (mut register, mut cars) = ("id,local,home\n".to_owned(), "id,over\n".to_owned());
    for (place, id) in ids().take(people).enumerate() {
        writeln!(poor, "{id}")?;
        writeln!(register, "{id},1,{}", place / TOGETHER + 1)?;
        writeln!(cars, "{id},{}", u8::from(place >= CHANGING && place % 7 == 0))?;
    }
    for (agency, name, text) in
        [("aid", "poor", poor), ("police", "register", register), ("police", "cars", cars)]
    {
        fs::create_dir_all(dir.join(agency))?;
        fs::write(dir.join(agency).join(format!("{name}.csv")), text)?;
    }
    let home = dir.join("labour");
    fs::create_dir_all(&home)?;
    let workers = vec![Worker { recent: false, benefit: false }; CHANGING];
    Labour { home, workers }.write()
}

fn datasets(agency: &str) -> String {
    let dataset = |id: &str, kind: &str, flag: Option<&str>| {
        let flag = flag.map(|flag| {
            format!(
                "[[dataset.flag]]\nname = \"{flag}\"\n\
                 when = {{ column = \"{flag}\", at_least = 1 }}\n"
            )
        });
        format!(
            "[[dataset]]\nid = \"{id}\"\nkind = \"{kind}\"\ncsv = \"{id}.csv\"\n\
             encoding = \"utf-8\"\nk_threshold = 1\n\
             identifier = {{ column = \"id\", type = \"resident_id\" }}\n{}",
            flag.unwrap_or_default()
        )
    };
    match agency {
        "aid" => dataset("poor", "watch", None),
        "labour" => {
            dataset("unemployed", "watch", Some("recent"))
                + &dataset("benefit", "cross_check", Some("any"))
        }
        _ => {
            dataset("cars", "cross_check", Some("over"))
                + &dataset("register", "cross_check", Some("local"))
                + "[dataset.household]\ncolumn = \"home\"\nmax_members = 4\ndatasets = [\"cars\"]\n"
        }
    }
}
