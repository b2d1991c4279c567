//! A federation manifest for people: what it says, who signed it, and whether it may be gone by.
//!
//! Owns the words. The rules are `proto::signed_manifest`'s.

use proto::{
    manifest::{Ceremony, Manifest},
    name::AgencyId,
    signed_manifest::{NotAccepted, SignedManifest},
};
use serde::Serialize;

use crate::lang::Lang;

/// Who signed a manifest, and whether it is accepted after the last one that was.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// Its version.
    pub version: u32,
    /// SHA-256 of its text, to compare by telephone.
    pub sha256: String,
    /// So many holders must sign.
    pub threshold: u8,
    /// Whose signatures verify.
    pub signed: Vec<AgencyId>,
    /// Whose do not, or are not there.
    pub missing: Vec<AgencyId>,
    /// The version that was accepted here before; absent where there was none.
    pub accepted_before: Option<u32>,
    /// Why it is not accepted; absent where it is.
    pub problem: Option<String>,
}

impl Verification {
    /// Counts signatures and compares with the last one accepted.
    pub fn of(signed: &SignedManifest, last: Option<&SignedManifest>) -> Self {
        let holders = signed.manifest().holders();
        let signers = signed.signers();
        let missing = holders.agencies.iter().filter(|holder| !signers.contains(holder));
        Self {
            version: signed.manifest().version,
            sha256: hex::encode(signed.fingerprint()),
            threshold: holders.threshold.get(),
            missing: missing.cloned().collect(),
            signed: signers,
            accepted_before: last.map(|last| last.manifest().version),
            problem: signed.accept(last).err().map(|error: NotAccepted| error.to_string()),
        }
    }

    /// For people.
    pub fn text(&self, lang: Lang) -> String {
        let Self { version, sha256, threshold, accepted_before, .. } = self;
        let (signed, missing) = (names(&self.signed, lang), names(&self.missing, lang));
        let mut text = lang.pick(
            format!(
                "第 {version} 版，正文 SHA-256：{sha256}\n已签名：{signed}\n未签名：{missing}\n\
                 需要 {threshold} 个持有方签名\n"
            ),
            format!(
                "version {version}, SHA-256 of the text: {sha256}\nsigned by: {signed}\nnot signed \
                 by: {missing}\nsignatures needed: {threshold}\n"
            ),
        );
        text += &match accepted_before {
            Some(before) => lang.pick(
                format!("本机此前接受的是第 {before} 版\n"),
                format!("accepted here before: version {before}\n"),
            ),
            None => lang.pick(
                "本机此前未接受过任何清单：请通过电话与其他部门核对上面的 SHA-256\n".to_owned(),
                "none was accepted here before: compare the SHA-256 with other agencies by telephone\n"
                    .to_owned(),
            ),
        };
        text += &match &self.problem {
            None => lang.pick("可以采用\n".to_owned(), "it is accepted\n".to_owned()),
            Some(problem) => {
                lang.pick(format!("不予采用：{problem}\n"), format!("not accepted: {problem}\n"))
            }
        };
        text
    }
}

/// Everything that a manifest says, in a form that can be read aloud.
pub fn text(manifest: &Manifest, lang: Lang) -> String {
    let (version, scope, holders) = (manifest.version, &manifest.scope, manifest.holders());
    let (programme, suite) = (&scope.programme, scope.suite);
    let mut text = lang.pick(
        format!("第 {version} 版，项目 {programme}，方案 {suite}\n"),
        format!("version {version}, programme {programme}, suite {suite}\n"),
    );
    let (threshold, holding) = (holders.threshold, names(&holders.agencies, lang));
    text += &lang.pick(
        format!("持有方（{threshold} 方签名生效）：{holding}\n"),
        format!("holders, of whom {threshold} must sign: {holding}\n"),
    );
    text += match holders.ceremony {
        None => "",
        Some(Ceremony::Distributed) => lang
            .pick("密钥份额：由各持有方共同生成\n", "key shares: made by all holders together\n"),
        Some(Ceremony::TrustedDealer) => lang.pick(
            "密钥份额：由一方分发，该方曾掌握完整密钥，仅可用于演示\n",
            "key shares: DEALT BY ONE PARTY, which had the whole key; for a demo only\n",
        ),
    };
    for epoch in manifest.epochs() {
        let (number, until) = (epoch.number, epoch.until);
        text += &lang.pick(
            format!("密钥期 {number}，至 {until}\n"),
            format!("epoch {number}, until {until}\n"),
        );
        for (holder, key) in holders.agencies.iter().zip(&epoch.share_keys) {
            text += &format!("  {holder:24} {}\n", hex::encode(key));
        }
    }
    let (key, quorum) = (hex::encode(manifest.log().key.0), manifest.log().quorum);
    text += &lang.pick(
        format!("日志公钥 {key}，须 {quorum} 个见证方联署\n"),
        format!("log key {key}; {quorum} witnesses must cosign\n"),
    );
    for (id, agency) in manifest.agencies() {
        text += &format!("{id}\n");
        let quota = (agency.quota != 0).then(|| agency.quota.to_string());
        let rows = [
            (lang.pick("签名公钥", "signing key"), Some(hex::encode(agency.signing_key.0))),
            (lang.pick("加密公钥", "HPKE key"), Some(hex::encode(agency.hpke_key.to_bytes()))),
            (lang.pick("见证公钥", "witness key"), Some(hex::encode(agency.witness_key.0))),
            (lang.pick("每期配额", "quota of an epoch"), quota),
            (lang.pick("数据集", "datasets"), Some(datasets(manifest, id, lang))),
        ];
        for (name, value) in rows {
            text += &value.map(|value| format!("  {name}: {value}\n")).unwrap_or_default();
        }
    }
    text
}

fn datasets(manifest: &Manifest, owner: &AgencyId, lang: Lang) -> String {
    let own = manifest.datasets().filter(|(_, dataset)| dataset.owner == *owner);
    let own: Vec<&str> = own.map(|(id, _)| id.as_str()).collect();
    if own.is_empty() { lang.pick("无", "none").to_owned() } else { own.join(", ") }
}

fn names(agencies: &[AgencyId], lang: Lang) -> String {
    let names: Vec<&str> = agencies.iter().map(AgencyId::as_str).collect();
    if names.is_empty() { lang.pick("无", "none").to_owned() } else { names.join(", ") }
}
