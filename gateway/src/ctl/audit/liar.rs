//! A gateway with a log in memory, for tests: honest, or lying in one of many ways.

use std::{ops::Range, sync::Arc};

use jiff::Timestamp;
use proto::{
    act::Act,
    case_event::CaseEvent,
    checkpoint::Checkpoint,
    cosignature::cosign,
    entry::{Actor, Entry},
    fault::Reason,
    hex_bytes::HexBytes,
    log_proof::LogProof,
    merkle::{Hash, TreeHead, consistency_subtrees, inclusion_subtrees},
    quorum::{origin, witness_name},
    signing::SigningKey,
    wire::{
        audit_service_server::{AuditService, AuditServiceServer},
        search_response::Part,
        *,
    },
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Endpoint};
use zeroize::Zeroizing;

use crate::connection::Gateway;

/// One of the keys in the example manifest.
pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&Zeroizing::new([seed; 32]))
}

/// A name, an id.
pub fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a name")
}

/// So many seconds after a beginning.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_500_000 + second).expect("a time")
}

/// A disclosure: the first two bytes of all ids are the same.
fn disclosure(number: u64) -> HexBytes<16> {
    let mut id = [0x5c; 16];
    id[2] = u8::try_from(number % 3).expect("small");
    HexBytes(id)
}

/// Entries of several officers, one every other second.
pub fn entries(count: u64) -> Vec<Vec<u8>> {
    let entry = |number: u64| {
        let by = match number % 4 {
            _ if number % 11 == 7 => Actor::Unknown,
            0 => Actor::Gateway,
            1 => Actor::Officer(name("li-na")),
            2 => Actor::Officer(name("wang-lei")),
            _ => Actor::Agency(name("tax")),
        };
        let alert = name(&format!("AL-000{}-0000-0000", number % 3));
        let act = match number % 5 {
            _ if number % 11 == 7 => {
                Act::CallsRefused { method: None, reason: Reason::NotPermitted, count: number }
            }
            _ if number % 11 == 8 => {
                let (disclosure, request) = (disclosure(number), HexBytes([2; 32]));
                Act::DisclosureApproved { disclosure, alert, request }
            }
            _ if number % 11 == 9 => {
                let event = CaseEvent::DisclosureAsked { disclosure: disclosure(number) };
                Act::CaseChanged { alert, number, event }
            }
            0 => Act::AlertRead { alert },
            1 => Act::AlertsListed { alerts: vec![alert; 2] },
            2 => Act::DryRun { rule: Some(name("needy")), rule_version: HexBytes([1; 32]) },
            3 => {
                Act::GrantsCarried { grantee: name("tax"), epoch: 1, datasets: vec![name("cars")] }
            }
            _ => Act::RulesListed { count: 8 },
        };
        let second = i64::try_from(2 * (number / 2)).expect("small");
        Entry::new(at(second), by, act).to_bytes()
    };
    (0..count).map(entry).collect()
}

/// How a gateway lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    Nothing,
    LeavesOut(usize),
    LeavesOutAndMovesTheEnd,
    Changes(usize),
    BeginsLate,
    EndsEarly,
    Swaps(usize),
    AnotherLog,
}

/// A gateway with a log in memory.
#[derive(Clone)]
pub struct Liar {
    pub entries: Arc<Vec<Vec<u8>>>,
    pub lie: Lie,
}

impl Liar {
    fn root(&self, range: Range<u64>) -> Hash {
        let range = usize::try_from(range.start).expect("small")
            ..usize::try_from(range.end).expect("small");
        Hash::of_tree(&self.entries[range].iter().map(|e| Hash::of_leaf(e)).collect::<Vec<_>>())
    }

    /// How many entries there are.
    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn checkpoint(&self) -> Checkpoint {
        let seed = if self.lie == Lie::AnotherLog { 9 } else { 0x21 };
        let head = TreeHead { size: self.size(), root: self.root(0..self.size()) };
        let mut checkpoint = Checkpoint::sign(&origin(&name("demo")), head, &key(seed));
        for (agency, seed) in [("aid", 0x11), ("police", 0x12)] {
            let witness = witness_name(&name("demo"), &name(agency));
            let line = cosign(&checkpoint, (&witness, &key(seed)), at(900));
            checkpoint.add(line);
        }
        checkpoint
    }

    fn proof(&self, subtrees: Vec<Range<u64>>) -> Vec<Vec<u8>> {
        subtrees.into_iter().map(|range| self.root(range).0.to_vec()).collect()
    }

    fn since(&self, known: u64) -> Vec<Vec<u8>> {
        let grown = known < self.size();
        if grown { self.proof(consistency_subtrees(known, self.size())) } else { vec![] }
    }

    fn first_at(&self, at: Option<prost_types::Timestamp>, none: u64) -> u64 {
        let Some(at) = at else { return none };
        let at = Timestamp::new(at.seconds, at.nanos).expect("a time");
        let before = |entry: &&Vec<u8>| Entry::parse(entry).expect("ours").at() < at;
        self.entries.iter().take_while(before).count() as u64
    }
}

#[tonic::async_trait]
impl AuditService for Liar {
    type SearchStream =
        std::pin::Pin<Box<dyn futures::Stream<Item = Result<SearchResponse, Status>> + Send>>;

    async fn search(
        &self,
        request: Request<SearchRequest>,
    ) -> Result<Response<Self::SearchStream>, Status> {
        let request = request.into_inner();
        let mut first = self.first_at(request.from, 0).saturating_sub(1);
        let mut end = self.size().min(self.first_at(request.until, self.size()) + 1);
        match self.lie {
            Lie::BeginsLate => first += 2,
            Lie::EndsEarly => end -= 2,
            _ => {}
        }
        let range = usize::try_from(first).expect("small")..usize::try_from(end).expect("small");
        let mut shown = self.entries[range].to_vec();
        match self.lie {
            Lie::LeavesOut(place) => drop(shown.remove(place)),
            Lie::LeavesOutAndMovesTheEnd => {
                shown.remove(1);
                end -= 1;
            }
            Lie::Changes(place) => {
                let other = Act::RulesListed { count: 9 };
                shown[place] = Entry::new(at(0), Actor::Gateway, other).to_bytes();
            }
            Lie::Swaps(place) => shown.swap(place, place + 1),
            _ => {}
        }
        let span = SearchSpan {
            checkpoint: self.checkpoint().to_string(),
            first,
            end,
            inclusion: if first < end {
                self.proof(inclusion_subtrees(first, end))
            } else {
                vec![]
            },
            consistency: self.proof(consistency_subtrees(end, self.size())),
            since_known: self.since(request.known_size),
        };
        let parts = [Part::Span(span), Part::Entries(EntryRun { entries: shown })];
        let parts = parts.map(|part| Ok(SearchResponse { part: Some(part) }));
        Ok(Response::new(Box::pin(futures::stream::iter(parts))))
    }

    async fn prove(
        &self,
        request: Request<ProveRequest>,
    ) -> Result<Response<ProveResponse>, Status> {
        let ProveRequest { index, known_size } = request.into_inner();
        let path = self.proof(inclusion_subtrees(index, self.size()));
        let entry = &self.entries[usize::try_from(index).expect("small")];
        let proof = LogProof {
            extra: Some(entry.clone()),
            index,
            path: path.iter().map(|hash| Hash(hash[..].try_into().expect("a hash"))).collect(),
            checkpoint: self.checkpoint().note().clone(),
        };
        let since_known = self.since(known_size);
        Ok(Response::new(ProveResponse { proof: proof.to_string(), since_known }))
    }

    async fn get_receipt(
        &self,
        _: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }

    async fn get_checkpoint(
        &self,
        _: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        Err(Status::unimplemented("not asked for"))
    }
}

impl Liar {
    /// With so many entries.
    pub fn with(count: u64, lie: Lie) -> Self {
        Self { entries: Arc::new(entries(count)), lie }
    }

    /// Serves it until the test ends.
    pub async fn serve(self) -> Gateway {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let service = AuditServiceServer::new(self);
        let incoming = TcpListenerStream::new(listener);
        let server = tonic::transport::Server::builder().serve_with_incoming(service, incoming);
        tokio::spawn(server);
        let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("a URI");
        Gateway::over(endpoint.connect().await.expect("it listens"))
    }
}
