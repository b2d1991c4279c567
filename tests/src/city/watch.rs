//! The 32 categories of the base and the hotline's work orders, as files.

use super::catalogue::{
    Bands, Condition::WithinDays, Dataset, Flag, ORDER_NUMBER, Rule, URGENCY, WORK_ORDERS,
};

const fn plain(agency: &'static str, id: &'static str) -> Dataset {
    Dataset { id, agency, columns: &["认定日期"], flags: &[] }
}

const fn recent(column: &'static str, days: i64) -> Flag {
    Flag { name: "recent", rule: Rule::When(WithinDays(column, days)) }
}

const KIND: Flag = Flag {
    name: "kind",
    rule: Rule::Values {
        column: "@certificate.kind",
        names: &[
            "none",
            "sight",
            "hearing",
            "speech",
            "limb",
            "intellectual",
            "mental",
            "multiple",
        ],
        map: &[
            ("1", "sight"),
            ("2", "hearing"),
            ("3", "speech"),
            ("4", "limb"),
            ("5", "intellectual"),
            ("6", "mental"),
            ("7", "multiple"),
        ],
        coarser: &[&[1, 2, 3], &[5, 6]],
    },
};

const LEVEL: Flag = Flag {
    name: "level",
    rule: Rule::Number {
        column: "@certificate.level",
        sum: false,
        bands: Bands { lower_bounds: &[0, 1, 2, 3, 4], coarser: &[] },
    },
};

const OWN_PAYMENT: Flag = Flag {
    name: "own_payment",
    rule: Rule::Number {
        column: "自付金额",
        sum: true,
        bands: Bands { lower_bounds: &[0, 5000, 20000, 50000], coarser: &[] },
    },
};

/// In the policy's order.
pub(super) const WATCH: &[Dataset] = &[
    plain("civil_affairs", "dibao_recipient"),
    plain("civil_affairs", "destitute_support"),
    plain("civil_affairs", "dibao_marginal"),
    plain("civil_affairs", "rigid_expenditure"),
    plain("civil_affairs", "orphan"),
    plain("civil_affairs", "de_facto_unattended_child"),
    plain("civil_affairs", "assistance_exited"),
    plain("civil_affairs", "application_refused"),
    plain("civil_affairs", "temporary_relief"),
    plain("agriculture_rural", "unstable_lifted"),
    plain("agriculture_rural", "marginal_poverty_prone"),
    Dataset {
        id: "sudden_hardship",
        agency: "agriculture_rural",
        columns: &["认定日期"],
        flags: &[recent("认定日期", 60)],
    },
    Dataset {
        id: "high_out_of_pocket",
        agency: "healthcare_security",
        columns: &["自付金额", "新增日期"],
        flags: &[OWN_PAYMENT, recent("新增日期", 90)],
    },
    plain("healthcare_security", "medical_assistance"),
    plain("healthcare_security", "major_illness_insurance"),
    Dataset {
        id: "registered_unemployed",
        agency: "human_resources",
        columns: &["登记日期"],
        flags: &[recent("登记日期", 90)],
    },
    plain("human_resources", "hard_to_employ"),
    plain("human_resources", "unemployment_benefit"),
    plain("education", "aided_student"),
    plain("education", "dropout_risk"),
    Dataset {
        id: "severe_disability",
        agency: "disabled_federation",
        columns: &["发证日期", "@certificate.kind", "@certificate.level"],
        flags: &[recent("发证日期", 180), KIND, LEVEL],
    },
    Dataset {
        id: "certified_disability",
        agency: "disabled_federation",
        columns: &["发证日期", "@certificate.kind", "@certificate.level"],
        flags: &[KIND, LEVEL],
    },
    plain("trade_union", "worker_in_difficulty"),
    plain("housing", "public_rental"),
    plain("housing", "dilapidated_housing"),
    plain("health", "severe_mental_disorder"),
    plain("health", "bereaved_only_child"),
    Dataset {
        id: "disaster_affected",
        agency: "emergency",
        columns: &["受灾日期"],
        flags: &[recent("受灾日期", 60)],
    },
    plain("justice", "released_or_corrected"),
    plain("veterans", "veteran_in_difficulty"),
    plain("womens_federation", "two_cancers_woman"),
    Dataset {
        id: "accident_affected",
        agency: "public_security",
        columns: &["发生日期"],
        flags: &[recent("发生日期", 60)],
    },
    Dataset { id: WORK_ORDERS, agency: "hotline", columns: &[ORDER_NUMBER, URGENCY], flags: &[] },
];
