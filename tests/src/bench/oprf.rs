//! The function of suite `oprf` (PROTOCOL.md section 15.1) beside the group operations that it cannot
//! do without.

use std::{
    hint::black_box,
    num::{NonZero, NonZeroU8},
    sync::Arc,
    thread,
};

use agency_adapter::oprf::{Blinding, Evaluation, MAX_BATCH, Share, ShareKeys};
use clap::Args;
use curve25519_dalek::{
    ristretto::{CompressedRistretto, RistrettoPoint},
    scalar::Scalar,
    traits::VartimeMultiscalarMul,
};

use crate::{
    report::{Compared, Measured, Report},
    stopwatch::Stopwatch,
};

const MICROSECONDS: &str = "us";
const THRESHOLD: u8 = 3;
const REQUESTER_GOAL: f64 = 1.5;
const HOLDER_GOAL: f64 = 1.2;

/// How long to measure.
#[derive(Args)]
pub struct Arguments {
    /// Rounds; the figures are medians over them.
    #[arg(long, default_value_t = 15)]
    rounds: usize,
}

/// Measures everything in turn, in every round.
pub fn run(arguments: &Arguments) -> anyhow::Result<Report> {
    let (bare, federation) = (Bare::new(), Federation::new()?);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let mut watch = Stopwatch::default();
    for _ in 0..arguments.rounds.max(1) {
        bare.measure(&mut watch);
        federation.measure(&mut watch)?;
        watch.time("all cores", || federation.batches(cores))?;
    }
    let one = |name| watch.median(name, MAX_BATCH);
    let [map, multiply, encode] = ["map", "multiply", "encode"].map(one);
    let [decode, term] = ["decode", "term"].map(one);
    let [blind, finish, holder] = ["blind", "accept and finalize", "evaluate"].map(one);
    let figure = |what: &str, value, unit| Measured { what: what.into(), value, unit };
    let t = f64::from(THRESHOLD);
    Ok(Report {
        benchmark: "oprf",
        measured: vec![
            figure("map: 64 bytes to an element", map, MICROSECONDS),
            figure("multiply: element by scalar, constant time", multiply, MICROSECONDS),
            figure("encode: element to 32 bytes", encode, MICROSECONDS),
            figure("decode: 32 bytes to element", decode, MICROSECONDS),
            figure("term: of a sum of 2048 products, variable time", term, MICROSECONDS),
            figure("requester: blind", blind, MICROSECONDS),
            figure("requester: verify 3 answers, combine, unblind", finish, MICROSECONDS),
            figure(
                "requester and 3 holders together, on all cores",
                1e6 / watch.median("all cores", MAX_BATCH * cores),
                "identifiers/s",
            ),
        ],
        compared: vec![
            Compared::new(
                format!("requester, per identifier, {THRESHOLD} answers verified"),
                format!("map + 2 multiply + 2 encode + {THRESHOLD} (decode + 2 term)"),
                [map + 2. * multiply + 2. * encode + t * (decode + 2. * term), blind + finish],
                REQUESTER_GOAL,
            ),
            Compared::new(
                "holder, per identifier".into(),
                "decode + multiply + encode".into(),
                [decode + multiply + encode, holder],
                HOLDER_GOAL,
            ),
        ],
    })
}

/// A batch of points and scalars, for bare operations.
struct Bare {
    uniform: Vec<[u8; 64]>,
    scalars: Vec<Scalar>,
    points: Vec<RistrettoPoint>,
    encoded: Vec<CompressedRistretto>,
}

impl Bare {
    fn new() -> Self {
        let wide = |n: usize| {
            let mut bytes = [0; 64];
            blake3::Hasher::new().update(&n.to_be_bytes()).finalize_xof().fill(&mut bytes);
            bytes
        };
        let uniform: Vec<[u8; 64]> = (0..MAX_BATCH).map(wide).collect();
        let points: Vec<_> = uniform.iter().map(RistrettoPoint::from_uniform_bytes).collect();
        Self {
            scalars: uniform.iter().map(Scalar::from_bytes_mod_order_wide).collect(),
            encoded: points.iter().map(RistrettoPoint::compress).collect(),
            uniform,
            points,
        }
    }

    fn measure(&self, watch: &mut Stopwatch) {
        let Self { uniform, scalars, points, encoded } = self;
        watch.time("map", || each(uniform, RistrettoPoint::from_uniform_bytes));
        watch.time("multiply", || {
            for (point, scalar) in points.iter().zip(scalars) {
                black_box(black_box(point) * black_box(scalar));
            }
        });
        watch.time("encode", || each(points, RistrettoPoint::compress));
        watch.time("decode", || each(encoded, CompressedRistretto::decompress));
        watch.time("term", || RistrettoPoint::vartime_multiscalar_mul(scalars, points));
    }
}

fn each<T, R>(items: &[T], operation: impl Fn(&T) -> R) {
    for item in items {
        black_box(operation(black_box(item)));
    }
}

/// Three holders of one key, and a batch of identifiers.
struct Federation {
    shares: Vec<Share>,
    keys: Arc<ShareKeys>,
    inputs: Vec<[u8; 19]>,
}

impl Federation {
    fn new() -> anyhow::Result<Self> {
        // 5 + 7x + 11x^2.
        let value = |x: u8| Scalar::from(5 + 7 * u64::from(x) + 11 * u64::from(x) * u64::from(x));
        let indices = (1..=THRESHOLD).filter_map(NonZeroU8::new);
        let shares: Vec<Share> =
            indices.filter_map(|index| Share::new(index, value(index.get()))).collect();
        let keys: Vec<[u8; 32]> = shares.iter().map(|share| share.public().to_bytes()).collect();
        let input = |n: usize| {
            let mut identifier = [1; 19];
            identifier[1..].copy_from_slice(format!("{n:018}").as_bytes());
            identifier
        };
        Ok(Self {
            shares,
            keys: Arc::new(ShareKeys::new(THRESHOLD, &keys)?),
            inputs: (0..MAX_BATCH).map(input).collect(),
        })
    }

    fn measure(&self, watch: &mut Stopwatch) -> anyhow::Result<()> {
        let blinding = watch.time("blind", || Blinding::new(self.keys.clone(), &self.inputs))?;
        let evaluate =
            |share: &Share| watch.time("evaluate", || share.evaluate(blinding.elements()));
        let answers: Vec<_> = self.shares.iter().map(evaluate).collect::<Result<_, _>>()?;
        watch.time("accept and finalize", || finish(blinding, &self.shares, &answers))
    }

    /// One whole batch on each core.
    fn batches(&self, cores: usize) -> anyhow::Result<()> {
        let batch = || {
            let blinding = Blinding::new(self.keys.clone(), &self.inputs)?;
            let answers = self.shares.iter().map(|share| share.evaluate(blinding.elements()));
            let answers: Vec<Evaluation> = answers.collect::<Result<_, _>>()?;
            finish(blinding, &self.shares, &answers)
        };
        thread::scope(|scope| {
            let started: Vec<_> = (0..cores).map(|_| scope.spawn(batch)).collect();
            started.into_iter().try_for_each(|thread| {
                thread.join().map_err(|_| anyhow::anyhow!("a batch panicked")).flatten()
            })
        })
    }
}

fn finish(mut blinding: Blinding, shares: &[Share], answers: &[Evaluation]) -> anyhow::Result<()> {
    for (share, answer) in shares.iter().zip(answers) {
        blinding.accept(share.index(), answer)?;
    }
    black_box(blinding.finalize()?);
    Ok(())
}
