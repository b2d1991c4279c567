//! The roots that key holders evaluated for this agency, kept so that nobody is evaluated twice in an
//! epoch (PROTOCOL.md section 15.7): one redb file for each epoch and set of share keys, encrypted under
//! `keys/cache.key`.
//!
//! An entry is filed under a keyed hash of the identifier, so that the file says neither who is in it
//! nor what their roots are. It never leaves the state directory. Who asks for missing roots is
//! `evaluating`.

use std::path::{Path, PathBuf};

use proto::{lp::LengthPrefixed, scope::Scope};
use redb::TableDefinition;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    derive::Root,
    evaluated_roots::{EntryName, EvaluatedRoots, NameKey},
    identifier::Identifier,
    parallel,
    secret_file::{self, SecretFileError},
    store_file::StoreFile,
};

/// Entry name to encrypted root.
const ROOTS: TableDefinition<'_, &[u8; 16], &[u8; SEALED]> = TableDefinition::new("roots");
const SEALED: usize = 48;
const MEMORY: usize = 64 << 20;

/// BLAKE3 derive_key contexts. They never cross the wire.
const NAME_KEY: &str = "matching.v1 2026-11-27 root cache entry name";
const SEAL_KEY: &str = "matching.v1 2026-11-27 root cache seal key";

/// The cache of one epoch.
pub struct RootCache {
    path: PathBuf,
    file: StoreFile,
    names: NameKey,
    seal: LessSafeKey,
}

/// What the cache has for a load.
pub enum Collected {
    /// Everybody's root.
    Complete(EvaluatedRoots),
    /// These are missing, in the order in which their entries are best added.
    Missing(Vec<Identifier>),
}

/// Why the cache cannot be used. Ours to mend.
#[derive(Debug, thiserror::Error)]
pub enum RootCacheError {
    /// Its key.
    #[error(transparent)]
    Key(#[from] SecretFileError),
    /// A disk is full or failing, or the file is damaged.
    #[error(
        "the cache of roots failed: {problem}. If the disk is full, make room; if the file is damaged, \
         stop the adapter, delete {} and start it again: the key holders are then asked again, which \
         counts against the quota",
        path.display()
    )]
    Failed {
        /// The file.
        path: PathBuf,
        /// The engine's words.
        problem: Box<redb::Error>,
    },
    /// An entry was changed, or was written under another key.
    #[error(
        "an entry of the cache of roots does not open with keys/cache.key: restore both from one \
         backup, or stop the adapter, delete {} and start it again: the key holders are then asked \
         again, which counts against the quota",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
    },
}

impl RootCache {
    /// Opens the epoch's cache in a state directory, or makes it, with its key. What was evaluated
    /// with other share keys is another cache.
    ///
    /// # Errors
    /// [`RootCacheError`].
    pub fn open(
        state_dir: &Path,
        scope: &Scope,
        share_keys: &[u8; 32],
    ) -> Result<Self, RootCacheError> {
        let key_file = state_dir.join("keys/cache.key");
        secret_file::create(&key_file)?;
        let key = secret_file::read(&key_file)?.expect("made just now, or there before");
        let directory = directory(state_dir, scope.epoch);
        secret_file::make_directory(&directory)?;
        let path = directory.join(format!("{}.redb", hex::encode(&share_keys[..8])));
        let file = StoreFile::open(&path, MEMORY).map_err(|error| failed(&path, error))?;
        let material = LengthPrefixed::new()
            .field(&key[..])
            .field(scope.programme.as_str().as_bytes())
            .number(scope.epoch)
            .field(share_keys);
        let derive = |label| Zeroizing::new(blake3::derive_key(label, material.as_bytes()));
        let seal = UnboundKey::new(&AES_256_GCM, &derive(SEAL_KEY)[..]).expect("a key of 32 bytes");
        let names = NameKey::new(*derive(NAME_KEY));
        let cache = Self { path, file, names, seal: LessSafeKey::new(seal) };
        // So that reading finds a table.
        cache.put([]).map(|()| cache)
    }

    /// The roots of everybody whom `identifier` finds in `people`, or who of them has none yet.
    ///
    /// # Errors
    /// [`RootCacheError`].
    pub fn collect<T: Sync>(
        &self,
        people: &[T],
        identifier: impl Fn(&T) -> &Identifier + Sync,
    ) -> Result<Collected, RootCacheError> {
        let names = parallel::map(people, |person| self.names.name(identifier(person)));
        let mut names: Vec<(EntryName, u32)> = names.into_iter().zip(0..).collect();
        names.sort_unstable();
        names.dedup_by_key(|(name, _)| *name);
        let mut found = Vec::with_capacity(names.len());
        let mut missing = vec![];
        self.look_up(&names, |(name, person), root| match root {
            Some(root) => found.push((*name, root)),
            None => missing.push(identifier(&people[*person as usize]).clone()),
        })?;
        Ok(if missing.is_empty() {
            Collected::Complete(EvaluatedRoots::new(self.names.clone(), found))
        } else {
            Collected::Missing(missing)
        })
    }

    /// Adds roots, durably before it returns.
    ///
    /// # Errors
    /// [`RootCacheError`]; then none was added.
    pub fn put<'r>(
        &self,
        roots: impl IntoIterator<Item = (&'r Identifier, &'r Root)> + Clone,
    ) -> Result<(), RootCacheError> {
        let put: Result<(), redb::Error> = self.file.write(|write| {
            let mut table = write.open_table(ROOTS)?;
            for (identifier, root) in roots.clone() {
                let name = self.names.name(identifier);
                table.insert(&name.0, &self.seal(name, root))?;
            }
            drop(table);
            Ok(write.commit()?)
        });
        put.map_err(|error| failed(&self.path, error))
    }

    fn look_up(
        &self,
        names: &[(EntryName, u32)],
        mut each: impl FnMut(&(EntryName, u32), Option<Root>),
    ) -> Result<(), RootCacheError> {
        let table = self.file.read(|read| Ok(read.open_table(ROOTS)?));
        let table = table.map_err(|error| failed(&self.path, error))?;
        for name in names {
            let sealed = table.get(&name.0.0).map_err(|error| failed(&self.path, error))?;
            let root = sealed.map(|sealed| self.open_entry(name.0, *sealed.value())).transpose()?;
            each(name, root);
        }
        Ok(())
    }

    fn seal(&self, name: EntryName, root: &Root) -> [u8; SEALED] {
        let mut sealed = [0; SEALED];
        let (text, tag) = sealed.split_at_mut(32);
        text.copy_from_slice(root.expose());
        let made = self.seal.seal_in_place_separate_tag(nonce(name), Aad::empty(), text);
        tag.copy_from_slice(made.expect("32 bytes are far below the length limit").as_ref());
        sealed
    }

    fn open_entry(
        &self,
        name: EntryName,
        mut sealed: [u8; SEALED],
    ) -> Result<Root, RootCacheError> {
        let opened = self.seal.open_in_place(nonce(name), Aad::empty(), &mut sealed);
        let opened = opened.map_err(|_| RootCacheError::Damaged { path: self.path.clone() })?;
        let root = Root::from_bytes((&*opened).try_into().expect("32 bytes and the tag"));
        sealed.zeroize();
        Ok(root)
    }
}

/// Where an epoch's caches are, to be deleted with it.
pub fn directory(state_dir: &Path, epoch: u32) -> PathBuf {
    state_dir.join("roots").join(epoch.to_string())
}

/// One name has one root under one key of the cache for ever, so that its nonce may be the name's own:
/// it never meets another text.
fn nonce(name: EntryName) -> Nonce {
    let (nonce, _) = name.0.split_first_chunk().expect("16 bytes");
    Nonce::assume_unique_for_key(*nonce)
}

fn failed(path: &Path, error: impl Into<redb::Error>) -> RootCacheError {
    RootCacheError::Failed { path: path.into(), problem: Box::new(error.into()) }
}

#[cfg(test)]
mod tests {
    use proto::scope::Suite;

    use super::*;
    use crate::fixture;

    fn scope(epoch: u32) -> Scope {
        Scope { programme: fixture::programme(), epoch, suite: Suite::Oprf }
    }

    fn root(number: u32) -> Root {
        Root::evaluated(&[u8::try_from(number).expect("small"); 64])
    }

    fn put(cache: &RootCache, people: std::ops::Range<u32>) {
        let roots: Vec<_> = people.map(|n| (fixture::identifier(n), root(n))).collect();
        cache.put(roots.iter().map(|(who, root)| (who, root))).expect("added");
    }

    fn collect(cache: &RootCache, people: std::ops::Range<u32>) -> Collected {
        let people: Vec<Identifier> = people.map(fixture::identifier).collect();
        cache.collect(&people, |identifier| identifier).expect("read")
    }

    #[test]
    fn only_who_was_not_evaluated_before_is_missing_also_after_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = || RootCache::open(directory.path(), &scope(1), &[7; 32]).expect("opened");
        let cache = open();
        put(&cache, 0..20);
        let Collected::Missing(missing) = collect(&cache, 10..22) else {
            panic!("two are missing")
        };
        assert_eq!(missing.len(), 2);
        put(&cache, 20..22);
        drop(cache);
        let Collected::Complete(roots) = collect(&open(), 10..22) else { panic!("all are there") };
        for number in 10..22 {
            assert_eq!(roots.get(&fixture::identifier(number)), Some(root(number)));
        }
        assert_eq!(roots.get(&fixture::identifier(1)), None, "not of this load");
    }

    #[test]
    fn another_epoch_or_other_share_keys_begin_an_empty_cache() {
        let directory = tempfile::tempdir().expect("a directory");
        let open = |epoch, key| RootCache::open(directory.path(), &scope(epoch), &[key; 32]);
        put(&open(1, 7).expect("opened"), 0..1);
        for (epoch, key) in [(2, 7), (1, 8)] {
            let cache = open(epoch, key).expect("opened");
            assert!(matches!(collect(&cache, 0..1), Collected::Missing(_)));
        }
        assert!(matches!(collect(&open(1, 7).expect("there"), 0..1), Collected::Complete(_)));
    }

    #[test]
    fn the_file_holds_no_identifier_and_no_root_in_clear() {
        let state = tempfile::tempdir().expect("a directory");
        let cache = RootCache::open(state.path(), &scope(1), &[7; 32]).expect("opened");
        put(&cache, 0..100);
        let path = cache.path.clone();
        drop(cache);
        let file = std::fs::read(path).expect("there");
        let holds = |secret: &[u8]| file.windows(secret.len()).any(|window| window == secret);
        for number in 0..100 {
            let identifier = fixture::identifier(number);
            assert!(!holds(&identifier.as_bytes()[1..]), "an identifier");
            assert!(!holds(&root(number).expose()[..8]), "a root");
            assert!(!holds(&blake3::hash(identifier.as_bytes()).as_bytes()[..8]), "a plain hash");
        }
    }

    #[test]
    fn an_entry_that_was_changed_or_is_of_another_key_is_refused() {
        let state = tempfile::tempdir().expect("a directory");
        let open = || RootCache::open(state.path(), &scope(1), &[7; 32]).expect("opened");
        let cache = open();
        put(&cache, 0..1);
        let (name, foreign) = (cache.names.name(&fixture::identifier(0)), root(1));
        let mut sealed = cache.seal(name, &foreign);
        sealed[0] ^= 1;
        assert!(matches!(cache.open_entry(name, sealed), Err(RootCacheError::Damaged { .. })));
        drop(cache);
        std::fs::remove_file(state.path().join("keys/cache.key")).expect("removed");
        assert!(matches!(collect(&open(), 0..1), Collected::Missing(_)), "its names are others");
    }
}
