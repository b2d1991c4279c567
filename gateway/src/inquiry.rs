//! One inquiry of a watch agency: who its subjects are in the next epoch. Dialled, asked, and what
//! comes back verified against the manifest (PROTOCOL.md section 16.3).

use std::time::Duration;

use proto::{
    manifest::Manifest,
    name::{AgencyId, DatasetId},
    subject::Subject,
    succession::{MAX_SUBJECTS, Passage, Succession},
    transport::{self, MAX_MESSAGE, Target},
    wire::{self, adapter_service_client::AdapterServiceClient},
};

use crate::{follow, tls_in_force::TlsInForce};

/// How long an agency may take to answer a batch.
const DEADLINE: Duration = Duration::from_secs(30);

/// What an agency is to be asked about one of its watch datasets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inquiry {
    /// Whom.
    pub agency: AgencyId,
    /// The watch dataset.
    pub dataset: DatasetId,
    /// Subjects of the present epoch, ascending.
    pub subjects: Vec<Subject>,
}

impl Inquiry {
    /// Asks. `present` and `next` are the manifest in the two epochs.
    ///
    /// # Errors
    /// Why there is no answer that can be used.
    pub async fn put(
        &self,
        (present, next): (&Manifest, &Manifest),
        (target, tls): (Target, &TlsInForce),
    ) -> Result<Vec<(Subject, Subject)>, String> {
        let passage = Passage {
            from: present.scope.clone(),
            to: next.scope.clone(),
            dataset: self.dataset.clone(),
            agency: self.agency.clone(),
        };
        let key = next.agency(&self.agency).ok_or("the federation manifest does not list it")?;
        let current = tls.client().borrow().clone();
        let channel = transport::connect(target, current).await?;
        let mut client = AdapterServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE);
        let mut pairs = vec![];
        for subjects in self.subjects.chunks(MAX_SUBJECTS) {
            let request = wire::SucceedRequest {
                scope: Some((&passage.from).into()),
                next: Some((&passage.to).into()),
                dataset: self.dataset.to_string(),
                subjects: subjects.iter().flat_map(|subject| subject.0).collect(),
            };
            let answer = tokio::time::timeout(DEADLINE, client.succeed(request)).await;
            let answer = answer.map_err(|_| format!("no answer in {} s", DEADLINE.as_secs()))?;
            let answer = answer.map_err(|status| follow::words(&status))?.into_inner();
            let succession = Succession::try_from(answer).map_err(|error| error.to_string())?;
            let verified = succession.verify(&passage, &key.signing_key);
            verified.map_err(|error| format!("its answer is not its own: {error}"))?;
            pairs.extend(succession.pairs);
        }
        Ok(pairs)
    }
}
