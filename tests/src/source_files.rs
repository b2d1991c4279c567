//! Random sources as agencies keep them: a CSV file a dataset, and the configuration that reads it.
//!
//! What the sources mean is the oracle's business; here is only how they are written down.

use std::{fmt::Write, fs, io, path::Path};

use crate::oracle::{
    PersonId, Policy,
    policy::{DatasetShape, FlagKind, FlagShape},
    random::Sources,
};

/// The column with everybody's number.
const NUMBER: &str = "身份证号";
/// The column with the household's number.
const HOUSEHOLD: &str = "户号";
/// A number that fails its check: the row of somebody who cannot be known.
const DAMAGED: &str = "320199198001010017";
/// What stands in a cell that says nothing.
const BLOT: &str = "?";

impl Sources {
    /// Turns coarser groups into unknowns: a file says the value or does not say it.
    #[must_use]
    pub fn as_files_say(mut self, policy: &Policy) -> Self {
        for (id, people) in &mut self.rows {
            let flags = &policy.datasets[id].flags;
            for row in people.values_mut() {
                for (byte, flag) in row.iter_mut().zip(flags) {
                    if usize::from(*byte) >= flag.value_count() {
                        *byte = 255;
                    }
                }
            }
        }
        self
    }

    /// Writes every dataset's file below its agency's directory.
    ///
    /// # Errors
    /// The file system's.
    pub fn write(&self, policy: &Policy, dir: &Path) -> io::Result<()> {
        for (id, shape) in &policy.datasets {
            let home = dir.join(&shape.agency).join("data");
            fs::create_dir_all(&home)?;
            fs::write(home.join(format!("{id}.csv")), self.file(id, shape))?;
        }
        Ok(())
    }

    fn file(&self, id: &str, shape: &DatasetShape) -> String {
        let household = shape.household.is_some();
        let mut head = vec![NUMBER];
        head.extend(shape.flags.iter().map(|flag| flag.name.as_str()));
        head.extend(household.then_some(HOUSEHOLD));
        let mut text = head.join(",") + "\n";
        for (person, row) in self.rows.get(id).into_iter().flatten() {
            let mut cells = vec![person.clone()];
            cells.extend(row.iter().zip(&shape.flags).map(|(&byte, flag)| cell(flag, byte)));
            cells.extend(household.then(|| self.home(person)));
            text += &(cells.join(",") + "\n");
        }
        for home in self.torn.iter().filter(|_| household) {
            let blots = format!("{BLOT},").repeat(shape.flags.len());
            writeln!(text, "{DAMAGED},{blots}{home}").expect("a string has room");
        }
        text
    }

    fn home(&self, person: &PersonId) -> String {
        let mut homes = self.people.iter().zip(&self.homes);
        match homes.find(|(other, _)| *other == person) {
            Some((_, home)) if *home > 0 => home.to_string(),
            _ => String::new(),
        }
    }
}

fn cell(flag: &FlagShape, byte: u8) -> String {
    let index = usize::from(byte);
    match &flag.kind {
        _ if byte == 255 => BLOT.into(),
        FlagKind::Boolean => byte.to_string(),
        FlagKind::Category(names) => names[index].clone(),
        FlagKind::Bands(bounds) => bounds[index].to_string(),
    }
}

/// The `[[dataset]]` sections of an agency's adapter.toml for files written by [`Sources::write`].
pub fn dataset_toml(policy: &Policy, agency: &str) -> String {
    let owned = policy.datasets.iter().filter(|(_, shape)| shape.agency == agency);
    owned.map(|(id, shape)| section(id, shape)).collect()
}

fn section(id: &str, shape: &DatasetShape) -> String {
    let kind = if shape.watch { "watch" } else { "cross_check" };
    let mut text = format!(
        "[[dataset]]\nid = \"{id}\"\nkind = \"{kind}\"\ncsv = \"data/{id}.csv\"\n\
         encoding = \"utf-8\"\nk_threshold = 1\n\
         identifier = {{ column = \"{NUMBER}\", type = \"resident_id\" }}\n"
    );
    for flag in &shape.flags {
        let name = &flag.name;
        let source = match &flag.kind {
            // A number, because any other text in a cell is then no answer.
            FlagKind::Boolean => format!("when = {{ column = \"{name}\", at_least = 1 }}"),
            FlagKind::Category(names) => {
                format!("values = {{ column = \"{name}\", names = {names:?} }}")
            }
            FlagKind::Bands(bounds) => {
                format!("bands = {{ column = \"{name}\", lower_bounds = {bounds:?} }}")
            }
        };
        text += &format!("[[dataset.flag]]\nname = \"{name}\"\n{source}\n");
        if !flag.coarser.is_empty() {
            text += &format!("coarser = {:?}\n", flag.coarser);
        }
    }
    if let Some((room, datasets)) = &shape.household {
        text += &format!(
            "[dataset.household]\ncolumn = \"{HOUSEHOLD}\"\nmax_members = {room}\n\
             datasets = {datasets:?}\n"
        );
    }
    text
}
