//! The generated code that proto checks in: made from the .proto files without protoc.
//!
//! Used by `generate`, which writes it, and by the architecture test, which holds it fresh.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;
use prost::Message;

const FILES: [&str; 10] = [
    "matching/v1/scope.proto",
    "matching/v1/adapter.proto",
    "matching/v1/holder.proto",
    "matching/v1/witness.proto",
    "matching/v1/audit.proto",
    "matching/v1/match.proto",
    "matching/v1/admin.proto",
    "matching/v1/disclosure.proto",
    "matching/v1/case.proto",
    "matching/v1/statistics.proto",
];

/// File name to content, for every file below `proto/src/wire` that is generated.
///
/// # Errors
/// A .proto file that does not compile, with its line.
pub fn files(proto_dir: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let descriptors = protox::compile(FILES, [proto_dir]).context("compiling the .proto files")?;
    let out = tempfile::tempdir()?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .out_dir(out.path())
        .compile_fds(descriptors.clone())?;
    let mut files = BTreeMap::from([("descriptor.bin".into(), descriptors.encode_to_vec())]);
    for entry in fs::read_dir(out.path())? {
        let path = entry?.path();
        let name = path.file_name().context("a generated file has a name")?;
        files.insert(name.to_string_lossy().into_owned(), fs::read(&path)?);
    }
    Ok(files)
}
