//! The order of the checks before anything is disclosed (PROTOCOL.md section 21.4), and the answer.
//!
//! Believes nobody: neither the gateway that carries the request nor the officers who signed it decide
//! for this agency.

use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use proto::{
    disclosure::{Application, DisclosureAnswer},
    disclosure_request::{DisclosureRequest, LONGEST_LIFE, LegalBasis},
    manifest::Manifest,
    name::AgencyId,
    officer_certificate::OfficersAuthority,
};

use super::{
    journal::{Journal, JournalError, Record},
    person::{Person, Search},
    policy::DisclosurePolicy,
    refused::Refused,
    signatures, witnessed,
};
use crate::{
    clock::Clock,
    config::{Config, contents},
    dataset_config::DatasetConfig,
    dataset_state::Content,
    publication::Publication,
};

/// Discloses for one agency.
pub struct Discloser {
    config: Config,
    clock: Clock,
    journal: Mutex<Journal>,
}

impl Discloser {
    /// Opens the journal in the state directory.
    ///
    /// # Errors
    /// [`JournalError`].
    pub fn open(config: Config, clock: Clock) -> Result<Self, JournalError> {
        let journal = Mutex::new(Journal::open(&config.state_dir)?);
        Ok(Self { config, clock, journal })
    }

    /// Checks everything and answers, in the epoch of this publication. Blocks while the source is read.
    ///
    /// # Errors
    /// [`Refused`], with nothing written down and nothing disclosed.
    pub fn answer(
        &self,
        publication: &Publication,
        application: &Application,
    ) -> Result<DisclosureAnswer, Refused> {
        let (agency, request) = (publication.agency(), &application.request);
        let now = self.clock.now();
        check_form(request)?;
        let (dataset, policy) = self.dataset(request)?;
        let authority = self.authority(&agency.manifest)?;
        let approvers = signatures::approvers(application, &authority, now)?;
        check_time(request, now)?;
        witnessed::check(application, &approvers, &agency.manifest)?;
        policy.allows(request, self.clock.time_of_day())?;
        let person = self.person(publication, (dataset, policy), request)?;
        check_approvers(request, &approvers, &person)?;
        self.enter(&Record::new(request, &approvers, now), policy)?;
        DisclosureAnswer::seal(request, &person.contact, &agency.keys.signing)
            .map_err(|_| Refused::Key)
    }

    fn dataset(
        &self,
        request: &DisclosureRequest,
    ) -> Result<(&DatasetConfig, &DisclosurePolicy), Refused> {
        let ours = Some(&request.dataset).filter(|_| request.agency == self.config.agency);
        let dataset = ours.and_then(|id| self.config.dataset(id)).ok_or(Refused::Dataset)?;
        let policy = dataset.disclosure.as_ref().ok_or(Refused::Dataset)?;
        Ok((dataset, policy))
    }

    /// Read anew for each request: a revocation counts from the moment at which its list is installed.
    fn authority(&self, manifest: &Manifest) -> Result<OfficersAuthority, Refused> {
        let unusable = |error: &dyn ToString| Refused::Authority(error.to_string());
        let lists = self.config.tls.revoked.as_deref().map(contents).transpose();
        let lists = lists.map_err(|error| unusable(&error))?;
        let (programme, authority) = (&manifest.scope.programme, manifest.officers_authority());
        OfficersAuthority::new(programme, authority, lists.as_deref())
            .map_err(|error| unusable(&error))
    }

    /// Finds the person in the source, by the same hash as between epochs: with every suite alike.
    fn person(
        &self,
        publication: &Publication,
        (dataset, policy): (&DatasetConfig, &DisclosurePolicy),
        request: &DisclosureRequest,
    ) -> Result<Person, Refused> {
        let content = publication.state(&dataset.id).map(|state| state.content);
        let Some(Content::Released(released)) = content else { return Err(Refused::NotLoaded) };
        let link = released.subjects().link(request.subject).ok_or(Refused::NotListed)?;
        let search = Search {
            dataset,
            policy,
            directory: &self.config.directory,
            today: self.clock.today(),
            fields: &request.fields,
        };
        let person = search.run(&|identifier| publication.link_key().link(identifier) == *link)?;
        person.ok_or(Refused::NotListed)
    }

    fn enter(&self, record: &Record, policy: &DisclosurePolicy) -> Result<(), Refused> {
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        journal.enter(record, policy.per_officer_per_day)
    }
}

fn check_form(request: &DisclosureRequest) -> Result<(), Refused> {
    if request.emergency && request.legal_basis != LegalBasis::VitalInterest {
        return Err(Refused::Argument("an emergency has the legal basis vital_interest"));
    }
    Ok(())
}

fn check_time(request: &DisclosureRequest, now: Timestamp) -> Result<(), Refused> {
    let left = request.expires_at.duration_since(now);
    if !left.is_positive() {
        return Err(Refused::Expired);
    }
    if left > LONGEST_LIFE {
        return Err(Refused::Argument("a request expires within 72 hours"));
    }
    Ok(())
}

/// One, one more for the vulnerable, one less in an emergency.
fn check_approvers(
    request: &DisclosureRequest,
    approvers: &[AgencyId],
    person: &Person,
) -> Result<(), Refused> {
    let needed = 1 + usize::from(person.vulnerable) - usize::from(request.emergency);
    let have = approvers.len();
    if have < needed { Err(Refused::TooFewApprovers { needed, have }) } else { Ok(()) }
}
