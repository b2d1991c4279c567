//! A synthetic town as adapters send it: one watch dataset, and data lines in which everybody of the
//! base has a row among those of strangers.

use std::thread;

use anyhow::Context;
use gateway::{
    policy::Policy,
    rows::Rows,
    sync::{Expectation, RowGroup, SubjectGroup, VerifiedRelease},
};
use jiff::Timestamp;
use proto::{
    cursor::Cursor,
    group::GroupCheck,
    name::DatasetId,
    person_secret::{LookupTag, PersonSecret},
    schema::DatasetSchema,
    scope::{Scope, Suite},
    sealed_row::{RowNonce, RowSealer},
    wire,
};

/// Columns of a frame come to about a mebibyte, as an adapter closes it.
const FRAME_ROWS: usize = 20_000;
const FRAME_SUBJECTS: usize = 1_800;
const FLAGS: usize = 2;
const HEAD: &str = "[programme]\nid = \"bench\"\nzh = \"测\"\nen = \"Bench\"\npending_deadline = \"72h\"\n\
                    [[agency]]\nid = \"city\"\nzh = \"市\"\nen = \"City\"\n\
                    [[situation]]\nid = \"any\"\nzh = \"任\"\nen = \"Any\"\n\
                    [[measure]]\nid = \"visit\"\nzh = \"访\"\nen = \"Visit\"\n\
                    [[dataset]]\nid = \"base_list\"\nagency = \"city\"\nkind = \"watch\"\n\
                    fresh_within = \"48h\"\nzh = \"名单\"\nen = \"List\"\n\
                    [[dataset.flag]]\nname = \"poor\"\nzh = \"贫\"\nen = \"Poor\"\n";
const RULE: &str = "[[rule]]\nid = \"first\"\nzh = \"一\"\nen = \"First\"\nsituation = \"any\"\n\
                    when = \"city.base_list.poor\"\nunless = \"line0.yes\"\nmeans = \"line0.band < 3\"\n\
                    assist = [\"visit\"]\ndue = \"72h\"\n";

/// The town.
pub struct Town {
    /// Its policy.
    pub policy: Policy,
    /// Its scope.
    pub scope: Scope,
    /// How many are in the base.
    pub people: usize,
    lines: usize,
}

impl Town {
    /// A base of so many people and so many data lines.
    ///
    /// # Errors
    /// Where the policy made for it is not good.
    pub fn new(people: usize, lines: usize) -> anyhow::Result<Self> {
        let mut text = HEAD.to_owned();
        for line in 0..lines {
            text += &format!(
                "[[dataset]]\nid = \"line{line}\"\nagency = \"city\"\nkind = \"cross_check\"\n\
                 fresh_within = \"48h\"\nzh = \"线{line}\"\nen = \"Line {line}\"\n\
                 [[dataset.flag]]\nname = \"yes\"\nzh = \"是\"\nen = \"Yes\"\n\
                 [[dataset.flag]]\nname = \"band\"\nzh = \"档\"\nen = \"Band\"\nbands = [0, 1, 2, 3]\n"
            );
        }
        text += RULE;
        let programme = "bench".parse().context("a name")?;
        let scope = Scope { programme, epoch: 1, suite: Suite::SaltedHash };
        Ok(Self { policy: Policy::parse(&text)?, scope, people, lines })
    }

    /// The data lines' schemas.
    pub fn lines(&self) -> impl Iterator<Item = &DatasetSchema> {
        let datasets = self.policy.catalogue.datasets.iter();
        datasets.map(|dataset| &dataset.schema).filter(|schema| schema.flags.len() == FLAGS)
    }

    /// Frames of `persons`' rows of a line in tag order. The flags are a person's number.
    pub fn frames(
        &self,
        line: &DatasetSchema,
        version: u32,
        persons: impl Iterator<Item = usize>,
    ) -> Vec<wire::SealedRowColumns> {
        let sealer = RowSealer::new(&self.scope, &line.dataset);
        let mut tagged: Vec<(LookupTag, usize)> =
            persons.map(|person| (secret(&line.dataset, person).lookup_tag(), person)).collect();
        tagged.sort_unstable();
        let nonce = RowNonce::new(version, [5; 8]);
        let frame = |people: &[(LookupTag, usize)]| {
            let mut columns = wire::SealedRowColumns::default();
            for &(tag, person) in people {
                let mut row = flags(person).to_vec();
                let key = secret(&line.dataset, person).seal_key();
                sealer.seal(&key, tag, nonce, &mut row);
                columns.tags.extend(tag.0);
                columns.nonces.extend(nonce.0);
                columns.ciphertexts.extend(row);
            }
            columns
        };
        tagged.chunks(FRAME_ROWS).map(frame).collect()
    }

    /// Takes frames in as the gateway does with those of one group; gives the rows' count of the store.
    ///
    /// # Errors
    /// The store's.
    pub fn ingest(
        &self,
        rows: &Rows,
        line: &DatasetSchema,
        (from, to): (Option<u32>, u32),
        (frames, trailer): (Vec<wire::SealedRowColumns>, &wire::Trailer),
    ) -> anyhow::Result<u64> {
        let header = header(&self.scope, line, (from, to));
        let mut group = self.expecting(line, from, |expected| RowGroup::begin(expected, header))?;
        let mut staging = if group.is_snapshot() { Some(rows.stage(line)?) } else { None };
        for frame in frames {
            if let (Some(frame), Some(staging)) = (group.rows(frame)?, &mut staging) {
                staging.append(&frame)?;
            }
        }
        let batch = group.end(trailer)?;
        let (held, _) = match staging {
            Some(staging) => staging.commit(&batch)?,
            None => rows.apply(line, &batch)?,
        };
        Ok(held.rows)
    }

    /// Fills every line with `each` rows, two lines at a time.
    ///
    /// # Errors
    /// The store's.
    pub fn fill(&self, rows: &Rows, each: usize) -> anyhow::Result<()> {
        let lines: Vec<&DatasetSchema> = self.lines().collect();
        for pair in lines.chunks(2) {
            let made: Vec<_> = thread::scope(|scope| {
                let making = pair.iter().map(|line| scope.spawn(|| self.frames(line, 1, 0..each)));
                let making: Vec<_> = making.collect();
                making.into_iter().map(|made| made.join()).collect()
            });
            for (line, frames) in pair.iter().zip(made) {
                let frames = frames.map_err(|_| anyhow::anyhow!("making rows panicked"))?;
                let trailer = trailer(&frames, line.row_size())?;
                self.ingest(rows, line, (None, 1), (frames, &trailer))?;
            }
        }
        Ok(())
    }

    /// Everybody of the base with a person secret for every line.
    ///
    /// # Errors
    /// Where the group made is not good.
    pub fn release(&self) -> anyhow::Result<VerifiedRelease> {
        let watch = &self.policy.catalogue.datasets[0].schema;
        let lines: Vec<DatasetId> = self.lines().map(|line| line.dataset.clone()).collect();
        let mut group = self.expecting(watch, None, |expected| {
            let header = header(&self.scope, watch, (None, 1));
            let header = wire::ReleaseHeader {
                scope: header.scope,
                agency: header.agency,
                dataset: header.dataset,
                transfer: header.transfer,
                from: None,
                to: header.to,
                as_of: header.as_of,
                secrets_for: lines.iter().map(ToString::to_string).collect(),
                flag_count: 1,
            };
            SubjectGroup::begin(expected, header)
        })?;
        let mut check = GroupCheck::default();
        let mut person = 0;
        while person < self.people {
            let end = (person + FRAME_SUBJECTS).min(self.people);
            let mut columns = wire::SubjectColumns::default();
            for person in person..end {
                columns.subjects.extend(u128::try_from(person)?.to_be_bytes());
                columns.residences.push(320_104_002_003);
                columns.registrations.push(0);
                columns.order_counts.push(0);
                columns.flags.push(u8::try_from(person % 2)?);
                for line in &lines {
                    columns.secrets.extend(secret(line, person).expose());
                }
            }
            check.subjects(&columns, 1, self.lines)?;
            group.subjects(columns)?;
            person = end;
        }
        Ok(group.end(&check.trailer())?)
    }

    fn expecting<T>(
        &self,
        schema: &DatasetSchema,
        held: Option<u32>,
        with: impl FnOnce(&Expectation<'_>) -> Result<T, gateway::sync::Refusal>,
    ) -> anyhow::Result<T> {
        let agency = "city".parse().context("a name")?;
        let held = held.map(cursor);
        let now = Timestamp::now();
        Ok(with(&Expectation { scope: &self.scope, agency: &agency, schema, held, now })?)
    }
}

/// What a sender puts behind frames.
///
/// # Errors
/// Where the frames are not good.
pub fn trailer(
    frames: &[wire::SealedRowColumns],
    row_size: usize,
) -> anyhow::Result<wire::Trailer> {
    let mut check = GroupCheck::default();
    for frame in frames {
        check.rows(frame, row_size)?;
    }
    Ok(check.trailer())
}

fn header(
    scope: &Scope,
    schema: &DatasetSchema,
    (from, to): (Option<u32>, u32),
) -> wire::SyncHeader {
    let transfer = if from.is_some() { wire::Transfer::Delta } else { wire::Transfer::Snapshot };
    wire::SyncHeader {
        scope: Some(scope.into()),
        agency: "city".into(),
        dataset: schema.dataset.to_string(),
        transfer: transfer.into(),
        from: from.map(|version| cursor(version).into()),
        to: Some(cursor(to).into()),
        as_of: Some(prost_types::Timestamp { seconds: Timestamp::now().as_second(), nanos: 0 }),
        row_size: u32::try_from(schema.row_size()).unwrap_or(u32::MAX),
    }
}

fn cursor(version: u32) -> Cursor {
    Cursor { log: [7; 16], version }
}

/// What a person's row says in every line.
pub fn flags(person: usize) -> [u8; FLAGS] {
    [u8::from(person % 2 == 1), (person % 4) as u8]
}

/// A person's secret for a dataset.
pub fn secret(dataset: &DatasetId, person: usize) -> PersonSecret {
    let mut hasher = blake3::Hasher::new();
    hasher.update(dataset.as_str().as_bytes()).update(&(person as u64).to_be_bytes());
    PersonSecret::from_bytes(*hasher.finalize().as_bytes())
}
