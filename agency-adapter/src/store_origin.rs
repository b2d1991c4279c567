//! Whether the version store is still the file it was, or a copy put in its place.
//!
//! A store that was restored from a copy may make a version anew that the gateway already has, with
//! other rows. So every log in it ends, and the next load of each dataset begins a new one (PROTOCOL.md
//! section 7).

use std::{fs, io, path::Path, time::SystemTime};

use redb::{ReadTransaction, TableDefinition};

use crate::{store_file::StoreFile, version_head};

const ORIGIN: TableDefinition<'static, &'static str, &'static str> = TableDefinition::new("origin");
const FILE: &str = "file";

/// Ends every log if the file at `path` is not the one in which they began. Says whether it did.
pub(crate) fn end_copied_logs(file: &StoreFile, path: &Path) -> Result<bool, redb::Error> {
    let present = origin(path)?;
    let recorded = file.read(recorded)?;
    if recorded.as_ref() == Some(&present) {
        return Ok(false);
    }
    file.write(|write| {
        if recorded.is_some() {
            version_head::forget_all(&write)?;
        }
        write.open_table(ORIGIN)?.insert(FILE, present.as_str())?;
        write.commit()?;
        Ok(recorded.is_some())
    })
}

fn recorded(read: ReadTransaction) -> Result<Option<String>, redb::Error> {
    let origin = match read.open_table(ORIGIN) {
        Ok(origin) => origin,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(origin.get(FILE)?.map(|file| file.value().to_owned()))
}

/// The file's number and, where the file system knows it, when it was made: a copy has another. The
/// device is left out, since its number may change when the computer starts.
pub(crate) fn origin(path: &Path) -> io::Result<String> {
    use std::os::unix::fs::MetadataExt;
    let metadata = fs::metadata(path)?;
    let made = metadata.created().ok();
    let made = made.and_then(|made| made.duration_since(SystemTime::UNIX_EPOCH).ok());
    Ok(format!("{} {}", metadata.ino(), made.unwrap_or_default().as_nanos()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use proto::schema::DatasetKind;

    use super::*;
    use crate::{fixture, sealing::Sealing, version_head::Head, version_log::VersionLog};

    fn publish(log: &VersionLog, flag: u8) -> Head {
        let (derivation, salt) = (fixture::derivation(1), fixture::salt(7));
        let schema = fixture::schema("vehicles", DatasetKind::CrossCheck);
        let persons = [fixture::person(1, flag)];
        let sealing = Sealing::new(&derivation, &schema, (&salt, vec![]), &persons);
        log.publish(&sealing, Timestamp::UNIX_EPOCH).expect("published")
    }

    #[test]
    fn a_store_that_was_restored_from_a_copy_begins_its_logs_anew() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let log = VersionLog::open(&path("versions.redb")).expect("opened");
        let first = publish(&log, 0);
        drop(log);
        fs::copy(path("versions.redb"), path("backup")).expect("copied");
        let log = VersionLog::open(&path("versions.redb")).expect("opened");
        let second = publish(&log, 1);
        assert_eq!(second.cursor().log, first.cursor().log, "a restart is no restoration");
        drop(log);

        fs::rename(path("backup"), path("versions.redb")).expect("restored");
        let log = VersionLog::open(&path("versions.redb")).expect("opened");
        assert_eq!(log.head(&fixture::name("vehicles")).expect("readable"), None);
        // Version 2 would have been made a second time, with other rows.
        let third = publish(&log, 0);
        assert_ne!(third.cursor().log, first.cursor().log);
        assert_eq!((third.cursor().version, third.rows), (1, 1));
    }
}
