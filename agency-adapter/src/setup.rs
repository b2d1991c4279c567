//! Setting an agency up: keys, salts, the manifest's block, grants.

use std::path::PathBuf;

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
};

use crate::{
    accepted_manifest::{self, AcceptedManifestError},
    agency::{Agency, AgencyError},
    clock::Clock,
    config::Config,
    grants::{Grants, GrantsError},
    keys::{Keys, KeysError, PublicKeys},
    lang::Lang,
    salts::{OwnSalts, owned},
    secret_file::SecretFileError,
};

/// Why setting up did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// A file.
    #[error(transparent)]
    File(#[from] SecretFileError),
    /// The manifest or this agency's place in it.
    #[error(transparent)]
    Agency(#[from] AgencyError),
    /// A grant.
    #[error(transparent)]
    Grants(#[from] GrantsError),
    /// A salt is gone that others hold: under a new one they would find nobody, and take that for a no.
    #[error(
        "the salt of {0} is missing, and grants of it were issued in this epoch: restore the salts \
         directory from a backup. If there is none, have a manifest with a new epoch issued"
    )]
    SaltLost(DatasetId),
}

/// What `init` did.
pub struct Initialised {
    /// The public keys.
    pub keys: PublicKeys,
    /// For the manifest.
    pub block: String,
    /// What was made and what is left to do, for people.
    pub notes: Vec<String>,
}

/// Makes what is missing and overwrites nothing.
///
/// # Errors
/// [`SetupError`].
pub fn init(config: &Config, clock: &Clock, lang: Lang) -> Result<Initialised, SetupError> {
    let (keys, made) = Keys::create(&config.state_dir)?;
    let state = config.state_dir.display();
    let mut notes = vec![if made {
        lang.pick(
            format!("已在 {state} 生成密钥，请妥善备份"),
            format!("keys made in {state}: back them up"),
        )
    } else {
        lang.pick(format!("{state} 中已有密钥，未作改动"), format!("the keys in {state} were kept"))
    }];
    match accepted_manifest::read(config) {
        Ok(signed) => {
            accepted_manifest::remember(&signed, &config.state_dir).map_err(AgencyError::from)?;
            for manifest in signed.manifest().in_live_epochs(clock.now()) {
                let (epoch, note) = (manifest.scope.epoch, make_salts(config, &manifest, lang)?);
                let (zh, en) = (format!("第 {epoch} 期：{note}"), format!("epoch {epoch}: {note}"));
                notes.push(lang.pick(zh, en));
            }
        }
        Err(AcceptedManifestError::Unreadable(missing)) => notes.push(lang.pick(
            format!("尚无联合清单（{missing}）。收到清单后请再次运行 init，生成盐值"),
            format!("no federation manifest yet ({missing}): run init again when it has arrived, to make the salts"),
        )),
        Err(error) => return Err(AgencyError::from(error).into()),
    }
    let keys = keys.public();
    Ok(Initialised { keys, block: keys.manifest_block(&config.agency), notes })
}

fn make_salts(config: &Config, manifest: &Manifest, lang: Lang) -> Result<String, SetupError> {
    let salts = OwnSalts::new(&config.state_dir, manifest.scope.epoch);
    let grants = Grants::new(&config.state_dir, &config.agency, &manifest.scope);
    for dataset in owned(manifest, &config.agency) {
        if grants.has_issued(dataset)? && salts.read(dataset)?.is_none() {
            return Err(SetupError::SaltLost(dataset.clone()));
        }
    }
    let made = salts.create(owned(manifest, &config.agency))?;
    let names: Vec<&str> = made.iter().map(DatasetId::as_str).collect();
    Ok(match (names.as_slice(), owned(manifest, &config.agency).count()) {
        (_, 0) => lang.pick(
            "清单中没有属于本部门的数据集，无需盐值".to_owned(),
            "the manifest gives this agency no dataset: no salts needed".to_owned(),
        ),
        ([], _) => lang.pick("已有的盐值未作改动".to_owned(), "all salts were kept".to_owned()),
        (names, _) => {
            let names = names.join(", ");
            lang.pick(format!("已生成盐值：{names}"), format!("salts made: {names}"))
        }
    })
}

/// This agency's public keys.
///
/// # Errors
/// [`SetupError::Keys`].
pub fn public_keys(config: &Config) -> Result<PublicKeys, SetupError> {
    Ok(Keys::read(&config.state_dir)?.public())
}

/// Grants a dataset to agencies in every live epoch; the files written.
///
/// # Errors
/// [`SetupError`]; the grants before the one that failed stay.
pub fn grant(
    config: &Config,
    clock: &Clock,
    dataset: &DatasetId,
    to: &[AgencyId],
) -> Result<Vec<PathBuf>, SetupError> {
    let mut files = vec![];
    for agency in Agency::open_live(config, clock)? {
        let context = (&agency.manifest, &agency.keys, &agency.own_salts);
        for grantee in to {
            files.push(agency.grants.issue(context, dataset, grantee)?);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_lost_salt_that_others_hold_is_never_replaced() {
        let (_directory, _people, config, clock) = fixture::agency();
        let own = |dataset: &str| config.state_dir.join(format!("salts/1/{dataset}.salt"));
        fs::remove_file(own("residents")).expect("removed");
        init(&config, &clock, Lang::En).expect("nobody holds it: a new one is made");
        let police = ["police".parse().expect("a name")];
        grant(&config, &clock, &fixture::name("residents"), &police).expect("granted");
        fs::remove_file(own("residents")).expect("removed");
        let text = init(&config, &clock, Lang::En).err().expect("refused").to_string();
        assert!(text.contains("residents") && text.contains("backup"), "{text}");
        assert!(!own("residents").exists());
    }
}
