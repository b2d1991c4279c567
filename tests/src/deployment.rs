//! A whole federation as files below one directory: keys, certificates, manifest, grants,
//! configurations. What runs on it, and how, is `world`'s and the demo's business.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    federation::{self, Household, Id, PolicyIds},
    pki::Pki,
    shared_key::SharedKey,
};
use agency_adapter::{
    derive::Derivation,
    grants::Grants,
    identifier::{IdentifierType, canonicalise},
    keys::Keys,
    salts::{OwnSalts, owned},
};
use anyhow::Context;
use jiff::civil::Date;
use proto::{
    manifest::Manifest,
    manifest_file::ManifestFile,
    name::{AgencyId, DatasetId},
    person_secret::{LookupTag, PersonSecret},
    salt::Salt,
    schema::DatasetKind,
    scope::Suite,
    subject::{Member, Subject},
};

/// The federation.
pub struct Deployment {
    /// Everything is below it.
    pub dir: PathBuf,
    /// Who issues its certificates.
    pub pki: Pki,
    /// What its parties agree on, in the epoch of which subjects and secrets are asked for here.
    pub manifest: Manifest,
    /// Further tables of gateway.toml.
    pub gateway_extra: String,
    pub(crate) issued: ManifestFile,
    key: SharedKey,
    /// Which datasets hold households, whose they are, and for which others their rows hold secrets.
    households: Vec<(DatasetId, AgencyId, Vec<DatasetId>)>,
}

/// A member of staff who is registered at the gateway and has a certificate.
#[derive(Debug, Clone, Copy)]
pub struct Staff {
    /// The id.
    pub id: &'static str,
    /// Roles, as in gateway.toml.
    pub roles: &'static [&'static str],
    /// Region prefix.
    pub region: &'static str,
}

/// Sees all alerts.
pub const CITY_DESK: Staff = Staff { id: "city-desk", roles: &["caseworker"], region: "" };
/// Sees one street's alerts.
pub const STREET_WORKER: Staff = Staff { id: "li-na", roles: &["caseworker"], region: "320104002" };
/// Runs the gateway.
pub const ADMINISTRATOR: Staff = Staff { id: "admin", roles: &["administrator"], region: "" };
/// Writes rules.
pub const ANALYST: Staff = Staff { id: "analyst", roles: &["analyst"], region: "" };
/// Watches over who is connected and who was granted what.
pub const SECURITY: Staff = Staff { id: "security", roles: &["security"], region: "" };
/// Reads the access log.
pub const AUDITOR: Staff = Staff { id: "auditor", roles: &["auditor"], region: "" };
/// Works in the same street.
pub const SECOND_WORKER: Staff =
    Staff { id: "wang-fang", roles: &["caseworker"], region: "320104002" };
/// Looks after the same street's cases.
pub const STREET_HEAD: Staff =
    Staff { id: "street-head", roles: &["supervisor"], region: "320104002" };
/// Looks after its district's.
pub const DISTRICT_HEAD: Staff =
    Staff { id: "district-head", roles: &["supervisor"], region: "320104" };
/// Approves disclosures.
pub const APPROVER: Staff = Staff { id: "approver", roles: &["approver"], region: "3201" };
/// Approves them, too.
pub const SECOND_APPROVER: Staff = Staff { id: "sun-li", roles: &["approver"], region: "3201" };
/// Looks after a city's cases, helps in some, and approves disclosures.
pub const CITY_HEAD: Staff =
    Staff { id: "city-head", roles: &["caseworker", "supervisor", "approver"], region: "" };
/// Everybody.
pub const STAFF: [Staff; 12] = [
    SECOND_APPROVER,
    CITY_HEAD,
    CITY_DESK,
    STREET_WORKER,
    ADMINISTRATOR,
    ANALYST,
    SECURITY,
    AUDITOR,
    SECOND_WORKER,
    STREET_HEAD,
    DISTRICT_HEAD,
    APPROVER,
];

impl Deployment {
    /// Makes everything for the agencies and datasets of a policy. `dataset_toml` gives each
    /// agency's `[[dataset]]` sections. Whoever needs a salt is granted it.
    ///
    /// # Errors
    /// The file system's, or a policy without the tables.
    pub fn create(
        dir: &Path,
        policy: &str,
        suite: Suite,
        dataset_toml: impl Fn(&str) -> String,
    ) -> anyhow::Result<Self> {
        let ids: PolicyIds = toml::from_str(policy).context("the policy's ids")?;
        fs::create_dir_all(dir)?;
        fs::write(dir.join("policy.toml"), policy)?;
        fs::write(dir.join("regions.csv"), include_str!("../../deploy/samples/regions.csv"))?;
        let pki = Pki::new(&ids.programme.id);
        let mut manifest = federation::manifest(dir, &ids, &pki)?;
        if suite == Suite::Oprf {
            federation::give_key(dir, &mut manifest)?;
        }
        federation::publish(dir, &manifest)?;
        let issued = manifest.clone();
        let manifest = manifest.check()?;
        let mut households = vec![];
        for dataset in &ids.dataset {
            if let Some(Household { datasets }) = &dataset.household {
                let (id, owner) = (dataset.id.parse()?, dataset.agency.parse()?);
                households.push((id, owner, datasets.clone()));
            }
        }
        let key = SharedKey::new(dir);
        let home = dir.to_owned();
        let gateway_extra = String::new();
        let deployment = Self { dir: home, pki, manifest, gateway_extra, issued, key, households };
        for Id { id: agency } in &ids.agency {
            deployment.adapter(agency, &dataset_toml(agency))?;
        }
        deployment.grant_everything()?;
        let certificate = deployment.pki.issue("gateway", "gateway");
        deployment.pki.write(&certificate, &[], &dir.join("gateway/tls"))?;
        for staff in STAFF {
            let certificate = deployment.pki.issue("officer", staff.id);
            let home = dir.join("staff").join(staff.id);
            deployment.pki.write(&certificate, &[], &home.join("tls"))?;
        }
        Ok(deployment)
    }

    /// The agencies, in the order of their names.
    pub fn agencies(&self) -> Vec<AgencyId> {
        self.manifest.agencies().map(|(id, _)| id.clone()).collect()
    }

    /// The datasets whose rows hold households.
    pub fn households(&self) -> impl Iterator<Item = &DatasetId> {
        self.households.iter().map(|(dataset, _, _)| dataset)
    }

    /// An adapter's configuration file.
    pub fn adapter_config(&self, agency: &AgencyId) -> PathBuf {
        self.dir.join(agency.as_str()).join("adapter.toml")
    }

    /// Writes gateway.toml for adapters at these addresses, and says where it is.
    ///
    /// # Errors
    /// The file system's.
    pub fn gateway_config(
        &self,
        adapters: &BTreeMap<AgencyId, SocketAddr>,
    ) -> anyhow::Result<PathBuf> {
        let mut text = String::from(
            "listen = \"127.0.0.1:0\"\ndata_dir = \"data\"\nmanifest = \"../federation.toml\"\n\
             policy = \"../policy.toml\"\nregions = \"../regions.csv\"\n[tls]\n",
        );
        text += TLS;
        for (agency, address) in adapters {
            text += &format!("[[adapter]]\nagency = \"{agency}\"\naddress = \"{address}\"\n");
        }
        for Staff { id, roles, region } in STAFF {
            text +=
                &format!("[[officer]]\nid = \"{id}\"\nroles = {roles:?}\nregion = \"{region}\"\n");
        }
        text += &self.gateway_extra;
        let path = self.dir.join("gateway/gateway.toml");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// Writes a member of staff's ctl.toml for a gateway at this address, and says where it is.
    ///
    /// # Errors
    /// The file system's.
    pub fn ctl_config(&self, staff: &Staff, gateway: SocketAddr) -> anyhow::Result<PathBuf> {
        let programme = &self.manifest.scope.programme;
        let text = format!(
            "gateway = \"{gateway}\"\nserver_name = \"localhost\"\ngateway_id = \"gateway\"\n\
             programme = \"{programme}\"\nmanifest = \"../../federation.toml\"\n[tls]\n{TLS}"
        );
        let path = self.dir.join("staff").join(staff.id).join("ctl.toml");
        fs::write(&path, text)?;
        Ok(path)
    }

    /// The subject of the person with this resident id: what only a watch agency could compute.
    ///
    /// # Errors
    /// Where the id is none, or the salt of `base` is not there.
    pub fn subject_of(&self, resident_id: &str, today: Date) -> anyhow::Result<Subject> {
        Ok(Subject::of(&self.secret_of(resident_id, &DatasetId::base(), today)?))
    }

    /// A person's secret for a dataset: what only its owner and its grantees could compute.
    ///
    /// # Errors
    /// Where the id is none, or the dataset's salt is not there.
    pub fn secret_of(
        &self,
        resident_id: &str,
        dataset: &DatasetId,
        today: Date,
    ) -> anyhow::Result<PersonSecret> {
        let canonical = canonicalise(&IdentifierType::ResidentId, resident_id, today)
            .map_err(|reject| anyhow::anyhow!("not a resident id: {reject:?}"))?;
        let scope = &self.manifest.scope;
        let root = match scope.suite {
            Suite::SaltedHash => Derivation::computed(scope)?.root(&canonical.identifier),
            Suite::Oprf => self.key.root(&self.manifest, canonical.identifier.as_bytes())?,
        };
        Ok(root.person_secret(scope, dataset, &self.salt(dataset)?))
    }

    /// What a person is called in the rows of a household dataset; too many members for a row are listed
    /// in its order.
    ///
    /// # Errors
    /// As [`Deployment::secret_of`].
    pub fn member_of(
        &self,
        resident_id: &str,
        dataset: &DatasetId,
        today: Date,
    ) -> anyhow::Result<Member> {
        Ok(Member::of(&self.secret_of(resident_id, dataset, today)?))
    }

    /// Under which tag a dataset has a person's row, if it has one.
    ///
    /// # Errors
    /// As [`Deployment::secret_of`].
    pub fn tag_of(
        &self,
        resident_id: &str,
        dataset: &DatasetId,
        today: Date,
    ) -> anyhow::Result<LookupTag> {
        Ok(self.secret_of(resident_id, dataset, today)?.lookup_tag())
    }

    fn salt(&self, dataset: &DatasetId) -> anyhow::Result<Salt> {
        let owner = &self.manifest.dataset(dataset).context("a dataset of the manifest")?.owner;
        let salts = OwnSalts::new(&self.state_dir(owner), self.manifest.scope.epoch);
        salts.read(dataset)?.context("the dataset's salt was made")
    }

    fn state_dir(&self, agency: &AgencyId) -> PathBuf {
        self.dir.join(agency.as_str()).join("state")
    }

    fn adapter(&self, agency: &str, datasets: &str) -> anyhow::Result<()> {
        let home = self.dir.join(agency);
        self.pki.write(&self.pki.issue("agency", agency), &[], &home.join("tls"))?;
        let id: AgencyId = agency.parse()?;
        OwnSalts::new(&self.state_dir(&id), self.manifest.scope.epoch)
            .create(owned(&self.manifest, &id))?;
        let text = format!(
            "agency = \"{agency}\"\nlisten = \"127.0.0.1:0\"\nstate_dir = \"state\"\n\
             manifest = \"../federation.toml\"\nreload_every = \"15m\"\n[tls]\n{TLS}\n{datasets}"
        );
        Ok(fs::write(home.join("adapter.toml"), text)?)
    }

    /// Grants every salt to every watch agency, and to whoever keeps households those that its rows
    /// need; again where it was done before.
    ///
    /// # Errors
    /// The file system's.
    pub fn grant_everything(&self) -> anyhow::Result<()> {
        let needs = |id: &AgencyId, dataset: &DatasetId| {
            let mut owned = self.manifest.datasets();
            owned.any(|(_, d)| d.owner == *id && d.kind == Some(DatasetKind::Watch))
                || self
                    .households
                    .iter()
                    .any(|(_, owner, needed)| owner == id && needed.contains(dataset))
        };
        for (dataset, described) in self.manifest.datasets() {
            if described.kind == Some(DatasetKind::Watch) {
                continue;
            }
            let owner = &described.owner;
            let state = self.state_dir(owner);
            let keys = Keys::read(&state)?;
            let salts = OwnSalts::new(&state, self.manifest.scope.epoch);
            let grants = Grants::new(&state, owner, &self.manifest.scope);
            for (grantee, _) in self.manifest.agencies().filter(|(id, _)| needs(id, dataset)) {
                if grantee != owner {
                    grants.issue((&self.manifest, &keys, &salts), dataset, grantee)?;
                }
            }
        }
        Ok(())
    }
}

const TLS: &str = "certificate = \"tls/certificate.pem\"\nkey = \"tls/key.pem\"\n\
                   trust = \"tls/trust.pem\"\nrevoked = \"tls/revoked.pem\"\n";
