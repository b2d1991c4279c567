//! Looking at a store, or copying it, beside the gateway that writes it: runs never change, and a list
//! that is replaced meanwhile is read again.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use proto::{cursor::Cursor, name::DatasetId};
use tokio::sync::watch;

use super::{
    Result, RowsError,
    dataset::{Dataset, HELD, Shown, on},
    held::Contents,
    merged::Merged,
    run::{TAG, file_name},
};
use crate::disk::{LocalDisk, link_or_copy};

/// How often a list is read again that was replaced meanwhile.
const TRIES: usize = 10;

/// What was found of one dataset.
#[derive(Debug)]
pub struct Checked {
    /// Which.
    pub dataset: DatasetId,
    /// The version held; absent where there is none, or none that is believed.
    pub cursor: Option<Cursor>,
    /// How many rows it has.
    pub rows: u64,
    /// What is not as it was written. Whoever opens the store asks for the dataset anew.
    pub damage: Option<String>,
}

/// Reads every byte of a store.
///
/// # Errors
/// [`RowsError`] where the disk fails.
pub fn check(store: &Path) -> Result<Vec<Checked>> {
    datasets(store)?.iter().map(check_dataset).collect()
}

/// Copies a store into a directory that is not there yet, runs by hard links where that is possible.
///
/// # Errors
/// [`RowsError`]. A dataset whose list is damaged is left out: it would be asked for anew.
pub fn copy(store: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).map_err(on(to))?;
    for dataset in datasets(store)? {
        copy_dataset(&dataset, &to.join(dataset.id.as_str()))?;
    }
    sync_directory(to)
}

fn datasets(store: &Path) -> Result<Vec<Dataset>> {
    let mut datasets = vec![];
    for entry in fs::read_dir(store).map_err(on(store))? {
        let entry = entry.map_err(on(store))?;
        let id = entry.file_name().to_str().and_then(|name| name.parse::<DatasetId>().ok());
        // The lock's name is no dataset's.
        let Some(id) = id else { continue };
        let (disk, place) = (Arc::new(LocalDisk), entry.path());
        datasets.push(Dataset::at(disk, place, id, watch::Sender::new(())));
    }
    datasets.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(datasets)
}

fn check_dataset(dataset: &Dataset) -> Result<Checked> {
    let id = dataset.id.clone();
    let nothing = Checked { dataset: id, cursor: None, rows: 0, damage: None };
    let shown = match steady(dataset, || dataset.read()) {
        Ok(shown) => shown,
        Err(RowsError::Damaged { what, .. }) => {
            return Ok(Checked { damage: Some(what), ..nothing });
        }
        Err(error) => return Err(error),
    };
    let Some(contents) = &shown.contents else { return Ok(nothing) };
    let (cursor, rows) = (Some(contents.held.cursor), contents.held.rows);
    match count(dataset, &shown) {
        Ok(found) if found == rows => Ok(Checked { cursor, rows, ..nothing }),
        Ok(found) => {
            let what = format!("its runs have {found} rows, and its list says {rows}");
            Ok(Checked { cursor, rows, damage: Some(what), ..nothing })
        }
        Err(RowsError::Damaged { what, .. }) => {
            Ok(Checked { cursor, rows, damage: Some(what), ..nothing })
        }
        Err(error) => Err(error),
    }
}

/// Reads every block, and counts the rows that are listed.
fn count(dataset: &Dataset, shown: &Shown) -> Result<u64> {
    for run in &shown.runs {
        run.verify().map_err(|fault| dataset.fault(run.listed.number, fault))?;
    }
    let (mut merged, mut rows) = (Merged::of(&shown.runs), 0);
    loop {
        match merged.next() {
            Ok(Some(row)) => rows += u64::from(row.len() > TAG),
            Ok(None) => return Ok(rows),
            Err((at, fault)) => return Err(dataset.fault(shown.runs[at].listed.number, fault)),
        }
    }
}

fn copy_dataset(dataset: &Dataset, to: &Path) -> Result<()> {
    fs::create_dir(to).map_err(on(to))?;
    let held = dataset.directory.join(HELD);
    let list = steady(dataset, || {
        let bytes = match fs::read(&held) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            read => read.map_err(on(&held))?,
        };
        let Some(contents) = Contents::decode(&bytes) else { return Ok(None) };
        for run in &contents.runs {
            let name = file_name(run.number);
            let (from, to) = (dataset.directory.join(&name), to.join(&name));
            match link_or_copy(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(dataset.changed(Path::new(&name), "the file is gone"));
                }
                copied => copied.map_err(on(&to))?,
            }
        }
        Ok(Some(bytes))
    })?;
    if let Some(bytes) = list {
        let path = to.join(HELD);
        crate::disk::replace(&LocalDisk, &path, &bytes).map_err(on(&path))?;
    }
    sync_directory(to)
}

/// Tries again where the list was replaced in the middle.
fn steady<T>(dataset: &Dataset, work: impl Fn() -> Result<T>) -> Result<T> {
    let path: PathBuf = dataset.directory.join(HELD);
    let mut tries = 0;
    loop {
        let before = fs::read(&path).ok();
        let done = work();
        tries += 1;
        let replaced = fs::read(&path).ok() != before;
        if tries < TRIES && replaced && matches!(done, Err(RowsError::Damaged { .. })) {
            continue;
        }
        return done;
    }
}

fn sync_directory(path: &Path) -> Result<()> {
    fs::File::open(path).and_then(|directory| directory.sync_all()).map_err(on(path))
}
