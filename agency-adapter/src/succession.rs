//! Who this agency's people are in the next epoch (PROTOCOL.md section 16.3): whom a watch dataset
//! lists in both epochs, answered for the subjects that the gateway asks about, and signed.

use std::collections::HashMap;

use proto::{
    name::DatasetId,
    scope::ScopeError,
    subject::Subject,
    succession::{self, Passage, Succession},
    wire,
};
use tonic::Status;

use crate::{
    dataset_state::{Content, Problem},
    epochs::Epochs,
    publication::Publication,
    refusal,
    released::Released,
    subjects::Subjects,
};

/// Answers for subjects of a watch dataset.
///
/// # Errors
/// The refusal.
pub fn succeed(
    epochs: &Epochs,
    dataset: &DatasetId,
    request: wire::SucceedRequest,
) -> Result<Succession, Status> {
    let publication = |scope| epochs.of(scope).map_err(|error: ScopeError| refusal::scope(&error));
    let (from, to) = (publication(request.scope)?, publication(request.next)?);
    let asked = succession::subjects(&request.subjects).map_err(refusal::argument)?;
    let agency = to.agency();
    let passage = Passage {
        from: from.scope(),
        to: to.scope(),
        dataset: dataset.clone(),
        agency: agency.id.clone(),
    };
    if !passage.leads_on() {
        return Err(refusal::argument("`next` must be a later epoch than `scope`"));
    }
    let (from, to) = (released(&from, dataset)?, released(&to, dataset)?);
    let pairs = pairs(from.subjects(), to.subjects(), &asked);
    let (people, known) = (asked.len(), pairs.len());
    tracing::info!(%dataset, epoch = passage.to.epoch, people, known, "successors were told");
    Ok(Succession::sign(&passage, &agency.keys.signing, pairs))
}

fn released(
    publication: &Publication,
    dataset: &DatasetId,
) -> Result<std::sync::Arc<Released>, Status> {
    let state = publication.state(dataset).ok_or_else(|| refusal::unknown_dataset("watch"))?;
    match state.content {
        Content::Released(released) => Ok(released),
        _ => {
            let problem = state.problem.as_ref().map(Problem::for_gateway);
            Err(refusal::not_loaded(dataset, problem))
        }
    }
}

/// Subject and successor of everybody asked about who is listed in both, in the order asked.
fn pairs(from: &Subjects, to: &Subjects, asked: &[Subject]) -> Vec<(Subject, Subject)> {
    let links = asked.iter().filter_map(|subject| Some((from.link(*subject)?, *subject)));
    let asked: HashMap<_, _> = links.collect();
    let successors =
        to.links().filter_map(|(link, successor)| Some((*asked.get(link)?, successor)));
    let mut pairs: Vec<_> = successors.collect();
    pairs.sort_unstable();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fixture, link_key::LinkKey, load::Person};

    fn subjects(epoch: u32, numbers: &[u32], key: &LinkKey) -> Subjects {
        let persons: Vec<Person> = numbers.iter().map(|&n| fixture::person(n, 0)).collect();
        Subjects::new(&fixture::derivation(epoch), &fixture::salt(1), &[], (1, &persons), key)
    }

    fn subject(epoch: u32, number: u32) -> Subject {
        let derivation = fixture::derivation(epoch);
        let root = derivation.root(&fixture::identifier(number));
        let base = derivation.person_secret(&root, &DatasetId::base(), &fixture::salt(1));
        Subject::of(&base)
    }

    #[test]
    fn a_successor_is_the_same_person_and_nobody_else() {
        let key = fixture::link_key();
        let (from, to) = (subjects(1, &[1, 2, 3, 4], &key), subjects(2, &[5, 4, 3, 2], &key));
        let mut asked = [1, 2, 4, 5].map(|number| subject(1, number));
        asked.sort_unstable();
        let told = pairs(&from, &to, &asked);
        assert!(told.is_sorted());
        let mut expected = [2, 4].map(|number| (subject(1, number), subject(2, number)));
        expected.sort_unstable();
        assert!(told == expected, "neither who left nor who is new");
    }
}
