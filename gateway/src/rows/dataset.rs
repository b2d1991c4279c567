//! One dataset's directory: the file `held`, the runs that it lists, and what is being written.
//!
//! A commit makes new runs durable, then their names, then replaces `held`: a crash at any instant leaves
//! the old list with all its runs or the new one with all of its. What no list names is removed later. Which
//! rows a run gets is `delta`'s and `staging`'s business.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use proto::name::DatasetId;
use tokio::sync::watch;

use super::{
    RowsError,
    held::Contents,
    run::{Fault, Listed, Run, Written, file_name},
};
use crate::disk::{Disk, replace};

pub(super) const HELD: &str = "held";

/// The directory.
pub(super) struct Dataset {
    pub id: DatasetId,
    pub disk: Arc<dyn Disk>,
    pub directory: PathBuf,
    shown: Mutex<Arc<Shown>>,
    writing: Mutex<Writing>,
    /// Rings for every damage that is found.
    damages: watch::Sender<()>,
}

/// What readers see.
#[derive(Default)]
pub(super) struct Shown {
    pub contents: Option<Contents>,
    /// The newest first, as `contents` lists them.
    pub runs: Vec<Arc<Run>>,
    /// Why none of it is believed any more.
    pub damage: Option<String>,
}

/// What one writer at a time may change.
pub(super) struct Writing {
    /// The number of the next run.
    next: u64,
    /// The run of the snapshot that may go on.
    pub staged: Option<u64>,
    /// Whether the list on the disk may be another than the one that is shown.
    unsure: bool,
}

impl Writing {
    /// A number that no run has had.
    pub(super) fn number(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }
}

impl Dataset {
    /// Opens a dataset's directory, which need not be there, and removes what a crash left.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        id: DatasetId,
        damages: watch::Sender<()>,
    ) -> Result<Self, RowsError> {
        let names = disk.names(&directory).map_err(on(&directory))?;
        let numbers = names.iter().filter_map(|name| name.strip_suffix(".run")?.parse().ok());
        // Above all that a crash left, too: a copy being made of it must not find another file.
        let next = numbers.max().map_or(1, |last: u64| last + 1);
        let dataset = Self::at(disk, directory, id, damages);
        dataset.lock_writing().next = next;
        match dataset.read() {
            Ok(shown) => {
                *dataset.lock_shown() = Arc::new(shown);
                dataset.clear(&dataset.lock_writing());
            }
            Err(RowsError::Damaged { what, .. }) => {
                let error = dataset.damaged(&dataset.shown(), what);
                tracing::error!(%error, "sealed rows are asked for anew");
            }
            Err(error) => return Err(error),
        }
        Ok(dataset)
    }

    /// A directory that nothing was read of.
    pub(super) fn at(
        disk: Arc<dyn Disk>,
        directory: PathBuf,
        id: DatasetId,
        damages: watch::Sender<()>,
    ) -> Self {
        let writing = Mutex::new(Writing { next: 1, staged: None, unsure: false });
        Self { id, disk, directory, shown: Mutex::default(), writing, damages }
    }

    /// What is on the disk.
    pub(super) fn read(&self) -> Result<Shown, RowsError> {
        let path = self.directory.join(HELD);
        let bytes = match self.disk.read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Shown::default()),
            read => read.map_err(on(&path))?,
        };
        let contents = Contents::decode(&bytes);
        let contents = contents
            .ok_or_else(|| self.changed(Path::new(HELD), "it is not what was written there"))?;
        let runs = contents.runs.iter().map(|listed| {
            let run = Run::open(&*self.disk, &self.directory, *listed);
            run.map(Arc::new).map_err(|fault| self.fault(listed.number, fault))
        });
        let runs = runs.collect::<Result<_, _>>()?;
        Ok(Shown { contents: Some(contents), runs, damage: None })
    }

    /// What readers see now.
    pub(super) fn shown(&self) -> Arc<Shown> {
        self.lock_shown().clone()
    }

    /// Waits until nobody else writes.
    pub(super) fn lock_writing(&self) -> MutexGuard<'_, Writing> {
        self.writing.lock().expect("nobody panics while writing rows")
    }

    /// Puts a list in the old one's place. Its new runs were written and are made durable here.
    pub(super) fn commit(
        &self,
        writing: &mut Writing,
        contents: Contents,
        new: Vec<Written>,
    ) -> Result<(), RowsError> {
        let kept = self.shown();
        let open = |listed: &Listed| match kept.runs.iter().find(|run| run.listed == *listed) {
            Some(run) => Ok(run.clone()),
            None => Run::open(&*self.disk, &self.directory, *listed)
                .map(Arc::new)
                .map_err(|fault| self.fault(listed.number, fault)),
        };
        for mut run in new {
            let path = self.directory.join(file_name(run.listed.number));
            run.sync().map_err(on(&path))?;
        }
        let runs = contents.runs.iter().map(open).collect::<Result<_, _>>()?;
        self.disk.sync_directory(&self.directory).map_err(on(&self.directory))?;
        let path = self.directory.join(HELD);
        let replaced = replace(&*self.disk, &path, &contents.encode());
        // A list that may be there after a crash keeps its runs.
        writing.unsure = replaced.is_err() && !self.lists(kept.contents.as_ref());
        replaced.map_err(on(&path))?;
        *self.lock_shown() = Arc::new(Shown { contents: Some(contents), runs, damage: None });
        self.clear(writing);
        Ok(())
    }

    /// Whether the disk has this list.
    fn lists(&self, contents: Option<&Contents>) -> bool {
        match (self.disk.read(&self.directory.join(HELD)), contents) {
            (Ok(bytes), Some(contents)) => bytes == contents.encode(),
            (Err(error), None) => error.kind() == io::ErrorKind::NotFound,
            _ => false,
        }
    }

    /// Removes files that no list names. What cannot be removed stays until the next time.
    pub(super) fn clear(&self, writing: &Writing) {
        if writing.unsure {
            return;
        }
        let shown = self.shown();
        let listed = shown.runs.iter().map(|run| run.listed.number).chain(writing.staged);
        let mut wanted: Vec<String> = listed.map(file_name).collect();
        wanted.push(HELD.to_owned());
        let removed = self.disk.names(&self.directory).and_then(|names| {
            let mut superfluous = names.iter().filter(|name| !wanted.contains(name));
            superfluous.try_for_each(|name| self.disk.remove(&self.directory.join(name)))
        });
        if let Err(error) = removed {
            let dataset = &self.id;
            tracing::warn!(%dataset, %error, "runs that are not needed any more stay for now");
        }
    }

    /// Notes that what readers see is not what was written, unless it was replaced meanwhile.
    pub(super) fn damaged(&self, seen: &Arc<Shown>, what: String) -> RowsError {
        let mut shown = self.lock_shown();
        if Arc::ptr_eq(&shown, seen) {
            *shown = Arc::new(Shown {
                contents: seen.contents.clone(),
                runs: seen.runs.clone(),
                damage: Some(what.clone()),
            });
            self.damages.send_replace(());
        }
        RowsError::Damaged { dataset: self.id.clone(), what }
    }

    /// A fault of a run in words that name its file.
    pub(super) fn fault(&self, run: u64, fault: Fault) -> RowsError {
        let name = file_name(run);
        match fault {
            Fault::Disk(error) => on(&self.directory.join(name))(error),
            Fault::Changed(what) => self.changed(Path::new(&name), &what),
        }
    }

    pub(super) fn changed(&self, file: &Path, what: &str) -> RowsError {
        let what = format!("{}: {what}", self.directory.join(file).display());
        RowsError::Damaged { dataset: self.id.clone(), what }
    }

    fn lock_shown(&self) -> MutexGuard<'_, Arc<Shown>> {
        self.shown.lock().expect("nobody panics while swapping what is shown")
    }
}

/// A failure of the disk, with the file.
pub(super) fn on(path: &Path) -> impl Fn(io::Error) -> RowsError + use<> {
    let path = path.to_owned();
    move |error| RowsError::Disk { path: path.clone(), error }
}
