//! What `disclosure` says to people, in both languages.

use jiff::Timestamp;
use proto::{
    contact::ContactField,
    disclosure_request::{DisclosureRequest, LegalBasis, Purpose},
    wire::DisclosureState,
};

use crate::{
    moment::{clock_face, to_wire},
    output::Screen,
    words::Phrase,
};

pub const ID: Phrase = ("申请编号", "disclosure");
pub const OFFICER: Phrase = ("申请人", "asked by");
pub const AGENCY: Phrase = ("数据部门", "agency");
pub const FIELDS: Phrase = ("申请内容", "fields");
pub const PURPOSE: Phrase = ("用途", "purpose");
pub const BASIS: Phrase = ("法律依据", "legal basis");
pub const EXPIRES: Phrase = ("有效期至", "good until");
pub const APPROVERS: Phrase = ("批准人", "approved by");
pub const EMERGENCY: Phrase = ("紧急", "emergency");
pub const REVIEW: Phrase = ("复核期限", "review due");
pub const YES: Phrase = ("是", "yes");
pub const NO: Phrase = ("否", "no");
pub const LOUD: Phrase = ("【紧急：先披露后复核】", "EMERGENCY: disclosed before it is approved");
pub const OVERDUE: Phrase = ("【复核已逾期】", "REVIEW OVERDUE");
pub const ASK: Phrase = (
    "将以您的证书签署此申请，并永久记入访问日志。",
    "You sign this request with your certificate, and the access log keeps it for good.",
);
pub const APPROVE: Phrase = (
    "您将批准向申请人披露上述内容，并永久记入访问日志。",
    "You approve that this is disclosed, and the access log keeps it for good.",
);
pub const REFUSE: Phrase = ("您将驳回此申请。", "You refuse this request.");
pub const DO_REVIEW: Phrase =
    ("您的复核结论将永久记入访问日志。", "What you find stays in the access log for good.");
pub const ASKED: Phrase = ("已提交，等待他人批准：", "Asked. Somebody else must approve it: ");
pub const ASKED_TWO: Phrase = (
    "已提交；此人需特别保护，等待两人批准：",
    "Asked. The person is vulnerable: two others must approve it: ",
);
pub const ONE_MORE: Phrase = ("已批准，还需一人批准：", "Approved. One more must approve it: ");
pub const NOT_THEIRS: Phrase = (
    "申请人 {officer} 已不办理此件，请驳回该申请",
    "{officer}, who asks, has the case no more: refuse the request",
);
pub const CARRIED: Phrase = ("已提交，正转交数据部门：", "On its way to the agency: ");
pub const DONE: Phrase = ("已记录：", "Done: ");
pub const CARE: Phrase = (
    "以上内容仅供本次办理使用，请勿转发、截屏或留存。网关上的密文已删除，不能再次领取。",
    "For this case only: do not pass it on or keep it. The gateway has deleted its copy, which nobody there \
     could open; it cannot be fetched again.",
);
pub const NOTHING: Phrase = ("数据部门没有登记", "the agency has none");

/// What an approver, or who asks, is shown before signing: all of the request, from its own bytes.
pub fn card(screen: &Screen, request: &DisclosureRequest) -> String {
    let lang = screen.lang;
    let text = screen.card(&[
        (ID, request.id.to_string()),
        (crate::words::ALERT, request.alert.to_string()),
        (crate::words::SUBJECT, request.subject.to_string()),
        (OFFICER, request.officer.to_string()),
        (AGENCY, format!("{} / {}", request.agency, request.dataset)),
        (FIELDS, fields(screen, &request.fields)),
        (PURPOSE, lang.say(purpose(request.purpose)).into()),
        (BASIS, lang.say(basis(request.legal_basis)).into()),
        (EXPIRES, moment(request.expires_at)),
        (EMERGENCY, lang.say(if request.emergency { YES } else { NO }).into()),
    ]);
    if request.emergency { format!("{}\n{text}", lang.say(LOUD)) } else { text }
}

/// The fields' names.
pub fn fields(screen: &Screen, fields: &[ContactField]) -> String {
    let names: Vec<&str> = fields.iter().map(|name| screen.lang.say(field(*name))).collect();
    names.join(" ")
}

/// A moment.
pub fn moment(at: Timestamp) -> String {
    clock_face(Some(&to_wire(at)))
}

/// A reason's word, for people who can look it up.
pub fn reason(word: &str) -> Phrase {
    match word {
        "" => ("", ""),
        "TOO_FEW_APPROVERS" => ("需再增加一名批准人", "one more approver is needed"),
        "EXPIRED" => ("申请已过期", "it expired"),
        "NOT_POSSIBLE_NOW" => ("申请人已不办理此件", "the officer has the case no more"),
        "REPLAYED" => ("申请已被答复过", "it was answered before"),
        "AGAINST_POLICY" => ("不符合该部门的披露规定", "against the agency's policy"),
        "QUOTA_EXCEEDED" => ("今日披露次数已达上限", "no more today"),
        "NOT_FOUND" => ("该部门名单上没有此人", "the agency does not list the person"),
        "NOT_AN_OFFICER" | "BAD_SIGNATURE" => ("签名或证书未获认可", "a signature does not count"),
        "UNKNOWN_DATASET" => ("该部门不披露此数据集", "the agency discloses nothing of it"),
        "WRONG_SCOPE" => ("密钥周期已更替，请重新申请", "the epoch has changed: ask anew"),
        "LOG_FORKED" => ("该部门已停止向网关提供服务", "the agency serves this gateway no more"),
        _ => ("其他", "other"),
    }
}

/// A field's name.
pub fn field(field: ContactField) -> Phrase {
    match field {
        ContactField::Name => ("姓名", "name"),
        ContactField::Phone => ("电话", "phone"),
        ContactField::Address => ("住址", "address"),
    }
}

/// What contact details are needed for.
pub fn purpose(purpose: Purpose) -> Phrase {
    match purpose {
        Purpose::HomeVisit => ("入户走访", "home visit"),
        Purpose::TelephoneContact => ("电话联系", "telephone contact"),
        Purpose::ReliefDelivery => ("送达救助", "relief delivery"),
        Purpose::SafetyCheck => ("安全探视", "safety check"),
    }
}

fn basis(basis: LegalBasis) -> Phrase {
    match basis {
        LegalBasis::Consent => ("个保法第十三条第（一）项：本人同意", "PIPL art. 13 (1): consent"),
        LegalBasis::StatutoryDuty => {
            ("个保法第十三条第（三）项：履行法定职责", "PIPL art. 13 (3): statutory duty")
        }
        LegalBasis::VitalInterest => {
            ("个保法第十三条第（四）项：紧急情况", "PIPL art. 13 (4): vital interest")
        }
    }
}

/// How far a disclosure has come.
pub fn state(number: i32) -> Phrase {
    match DisclosureState::try_from(number) {
        Ok(DisclosureState::Asked) => ("待批准", "waits for approval"),
        Ok(DisclosureState::Carried) => ("转交中", "on its way"),
        Ok(DisclosureState::Answered) => ("已答复，待领取", "answered: open it"),
        Ok(DisclosureState::Collected) => ("已领取", "collected"),
        Ok(DisclosureState::Declined) => ("部门未答复", "declined"),
        Ok(DisclosureState::Refused) => ("已驳回", "refused"),
        _ => ("未知", "unknown"),
    }
}
