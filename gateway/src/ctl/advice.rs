//! The sentences for failures, in both languages: whose fault it is and what to do. `{}` stands for
//! what the gateway or the system said.
//!
//! Which sentence fits is `failure`'s to decide.

use proto::fault::Reason;

use crate::words::Phrase;

pub const USAGE: Phrase = ("命令行有误：{}。", "The command line is at fault: {}.");
pub const OUTPUT: Phrase = ("无法写出结果：{}。", "The output cannot be written: {}.");
pub const SILENT: Phrase = ("网关没有消息", "the gateway is silent");
pub const NO_CONFIG: Phrase = (
    "没有配置文件：已查找 {}；请建立一个，或用 --config 或 GATEWAYCTL_CONFIG 指定。",
    "There is no configuration file: looked for {}; write one, or name it with --config or GATEWAYCTL_CONFIG.",
);
pub const CONFIG: Phrase =
    ("配置文件有误，请改正：{}", "The configuration file is at fault and must be mended: {}");
pub const CERTIFICATE_FILE: Phrase = (
    "证书文件无法读取：{}；请检查配置中的路径和文件权限。",
    "A certificate file cannot be read: {}; check its path in the configuration and its permissions.",
);
pub const CERTIFICATE: Phrase = (
    "您的证书文件有误：{}；请改正配置中的 [tls]，或向项目管理员索取新证书。",
    "Your certificate files are at fault: {}; mend [tls] in the configuration, or ask the programme's administrator for new ones.",
);
pub const DISTRUSTED: Phrase = (
    "对方未能证明自己是网关：{}；请检查配置中的 gateway、server_name、gateway_id 和 tls.trust；若无误，请告知网关运维人员。",
    "Whoever answered did not prove to be the gateway: {}; check gateway, server_name, gateway_id and tls.trust in the configuration, and if they are right, tell those who run the gateway.",
);
pub const CERTIFICATE_REFUSED: Phrase = (
    "网关拒绝了您的证书：{}；证书可能已过期、被吊销或由他人签发，请向项目管理员索取新证书。",
    "The gateway refused your certificate: {}; it may have expired, been revoked, or come from another issuer: ask the programme's administrator for a new one.",
);
pub const NO_CONNECTION: Phrase = (
    "无法连接网关：{}；请检查配置中的 gateway 和网络，稍后再试；若仍不行，请告知网关运维人员。",
    "The gateway cannot be reached: {}; check gateway in the configuration and the network, try again later, and then tell those who run the gateway.",
);
pub const CLOSED: Phrase = (
    "与网关的连接中断：{}；请稍后再试；若仍不行，请告知网关运维人员，网关日志中有原因。",
    "The connection to the gateway was closed: {}; try again later, and if that does not help, tell those who run the gateway: its log says why.",
);
pub const DEADLINE: Phrase = (
    "网关没有按时答复；请稍后再试，若仍不行，请告知网关运维人员。",
    "The gateway did not answer in time; try again later, and if that does not help, tell those who run it.",
);
pub const UNFORESEEN: Phrase = (
    "网关的答复不符合协议（{}）；它的版本可能与本程序不同，请告知网关运维人员。",
    "The gateway answered in a way that the protocol does not foresee ({}); its version may differ from this program's: tell those who run it.",
);

pub const NO_MANIFEST: Phrase = (
    "没有联邦清单，无法核验访问日志：请用 --manifest 指定，或在配置文件中写明 manifest。清单应从各部门取得，不应从网关取得。",
    "Without the federation manifest the access log cannot be checked: name it with --manifest or as manifest in the configuration. Get it from the agencies, not from the gateway.",
);
pub const MANIFEST: Phrase = (
    "联邦清单不可用：{}；请向各部门索取有效的清单。",
    "The federation manifest is not usable: {}; ask the agencies for the one in force.",
);
pub const STATE: Phrase = (
    "上次核验的检查点无法读写：{}；请检查文件权限。该文件用于发现日志被改写，请勿删除。",
    "The checkpoint verified last cannot be read or written: {}; check the file's permissions. It is what shows that the log was rewritten: do not delete it.",
);
pub const NO_ANSWER: Phrase = (
    "现在没有可打开的答复（{}）。答复只能打开一次；进展见 disclosure list。",
    "There is no answer to open now ({}). An answer is opened once; `disclosure list` shows how far each request has come.",
);
pub const ANSWER_KEY: Phrase = (
    "您的答复密钥无法使用：{}。答复只加密给这把密钥。若只是权限不对，请更正；若密钥已丢失或在另一台电脑上，已有的答复便无法打开：请重新申请，新密钥会自动生成。",
    "Your key for answers cannot be used: {}. Answers are encrypted to that key alone. If only its permissions are wrong, set them right; if it is lost or on another computer, the answer cannot be opened: ask again, and a new key is made.",
);
pub const DAMAGED: Phrase = (
    "上次核验的检查点文件已损坏：{}。该文件只存于您的电脑，与网关无关：请从备份恢复。若无备份，请将它移走并保存，再运行 audit verify 核验整个日志，并与其他审计人员保存的检查点比对：此前的改写，您这里已无从发现。",
    "The file of the checkpoint verified last is damaged: {}. It is on your machine alone, so this is not the gateway's fault: put it back from a backup. Without one, move it away, keep it, run `audit verify` over the whole log, and compare with the checkpoints of other auditors: what was rewritten before now, yours no longer show.",
);
pub const OTHER_LOG: Phrase = (
    "上次核验的检查点 {} 不是由您现在信任的日志密钥签署的：可能您用的是旧清单或其他项目的清单，也可能日志更换了密钥。请先向各部门索取现行清单；若密钥确已更换，日志即重新开始：请用旧清单核验旧日志的末尾，妥善保存该文件并移走，再重新运行。",
    "The checkpoint verified last, {}, was signed with another key than the log's key that you trust now. Either the manifest or key is an old one or another programme's, or the log's key was changed. Get the manifest in force from the agencies. If they changed the key, a new log began: verify the end of the old one with the old manifest, keep that file, move it away, and run this again.",
);
pub const UNPROVEN: Phrase = (
    "未通过核验，请勿采信：{}。请保存本次结果，并告知各部门；网关运维人员不能单独处理此事。",
    "This does not verify and must not be relied on: {}. Keep what you have and tell the agencies; those who run the gateway must not settle this alone.",
);
pub const FORK: Phrase = (
    "!!! 严重警告：访问日志被改写或截断 !!!\n网关现在给出的日志与您上次核验的日志相互矛盾：{}。\n两个检查点都有日志密钥的签名，合在一起即为证据。请立即备份这两个文件，停止采信网关的任何结果，并同时告知各部门和其他审计人员。",
    "!!! THE ACCESS LOG WAS REWRITTEN OR CUT !!!\nWhat the gateway shows now contradicts what you verified before: {}.\nBoth checkpoints are signed with the log's key; together they are the evidence. Copy both files now, rely on nothing that the gateway says, and tell all agencies and the other auditors at once.",
);

pub const UNCONFIRMED: Phrase = ("未确认，未做任何更改。", "Not confirmed: nothing was changed.");
pub const NOBODY_TO_ASK: Phrase = (
    "此操作不可撤销，需要确认，而这里没有终端可供询问；确定无误后请加 --yes 再执行。未做任何更改。",
    "This cannot be undone and must be confirmed, and there is no terminal to ask at: if you are sure, add --yes. Nothing was changed.",
);

/// What the people who get a refusal can do about it.
const ADVICE: [(Reason, Phrase); 12] = [
    (
        Reason::SelfApproved,
        (
            "须由他人批准：申请人本人、已批准过的人不能（再次）批准。",
            "Somebody else must approve: {}.",
        ),
    ),
    (Reason::Expired, ("申请已过期，请重新申请。", "Too late: {}.")),
    (
        Reason::NotAnOfficer,
        (
            "您的证书不能用于披露申请：{}；请向项目管理员索取由工作人员证书机构签发的证书。",
            "Your certificate does not sign disclosures: {}; ask the programme's administrator for one of the officers' authority.",
        ),
    ),
    (
        Reason::NotPermitted,
        (
            "网关不允许您执行此操作：此件不由您办理，或您没有所需的角色，或未在网关登记。如工作需要，请向督导或网关管理员申请。",
            "Refused: {}.",
        ),
    ),
    (
        Reason::NotFound,
        (
            "未找到，或不在您的权限范围内；请核对编号。",
            "Not found, or not yours to see: {}; check the id.",
        ),
    ),
    (
        Reason::InvalidPolicy,
        (
            "规则或策略未通过检查，原策略继续有效；请改正后再试：{}",
            "The rule or policy does not check; mend it and try again: {}",
        ),
    ),
    (
        Reason::InvalidArgument,
        ("请求有误：{}；请改正后再试。", "The request is at fault: {}; mend it and try again."),
    ),
    (
        Reason::StoreUnavailable,
        (
            "网关的存储已满或有故障：{}；查询仍可用，请告知网关运维人员。",
            "The gateway's store is full or failing: {}; reading still works: tell those who run the gateway.",
        ),
    ),
    (
        Reason::OutOfDate,
        (
            "案件已有新进展：{}；请先用 cases show 查看，再决定。未做任何更改。",
            "Somebody was faster: {}. Look again with cases show, and decide anew; nothing was changed.",
        ),
    ),
    (
        Reason::NotPossibleNow,
        (
            "现在不能这样做：{}；请用 cases show 查看案件。未做任何更改。",
            "That cannot be done now: {}; look at it with cases show. Nothing was changed.",
        ),
    ),
    (Reason::Busy, ("网关繁忙：{}；请稍后再试。", "The gateway is busy: {}; try again later.")),
    (
        Reason::Internal,
        (
            "网关内部出错：{}；不是您的问题，请告知网关运维人员。",
            "The gateway failed: {}; the fault is not yours: tell those who run it.",
        ),
    ),
];

/// For a reason that is newer than this program.
pub const OTHER_REFUSAL: Phrase = ("网关拒绝了请求：{}。", "The gateway refused: {}.");

/// The sentence for a refusal with this reason, by its word on the wire.
pub fn for_reason(word: &str) -> Option<Phrase> {
    ADVICE.iter().find(|(reason, _)| reason.as_str() == word).map(|(_, phrase)| *phrase)
}
