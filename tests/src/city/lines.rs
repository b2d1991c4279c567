//! The 17 data lines the base is compared with, as files.

use super::catalogue::{
    Bands,
    Condition::{self, Always, AtLeast, Equals, In, WithinDays},
    Dataset, Flag, Rule,
};

const fn when(name: &'static str, condition: Condition) -> Flag {
    Flag { name, rule: Rule::When(condition) }
}

const fn number(name: &'static str, column: &'static str, sum: bool, bands: Bands) -> Flag {
    Flag { name, rule: Rule::Number { column, sum, bands } }
}

const fn count(name: &'static str, column: &'static str, equals: &'static str) -> Flag {
    let bands = Bands { lower_bounds: &[0, 1, 2], coarser: &[&[1, 2]] };
    Flag { name, rule: Rule::Count { column, equals, bands } }
}

const fn bands(lower_bounds: &'static [i64]) -> Bands {
    Bands { lower_bounds, coarser: &[&[1, 2], &[3, 4]] }
}

const ASSISTANCE_KIND: Flag = Flag {
    name: "kind",
    rule: Rule::Values {
        column: "在保类别",
        names: &["none", "dibao", "destitute", "marginal", "rigid"],
        map: &[
            ("低保", "dibao"),
            ("特困", "destitute"),
            ("低保边缘", "marginal"),
            ("刚性支出困难", "rigid"),
        ],
        coarser: &[&[3, 4]],
    },
};

const MARITAL_STATUS: Flag = Flag {
    name: "status",
    rule: Rule::Values {
        column: "登记类别",
        names: &["none", "married", "divorced"],
        map: &[("结婚", "married"), ("离婚", "divorced")],
        coarser: &[],
    },
};

const REGISTRATION_STATUS: Flag = Flag {
    name: "status",
    rule: Rule::Values {
        column: "户籍状态",
        names: &["none", "local", "other", "moved"],
        map: &[("本市", "local"), ("外市", "other"), ("迁出", "moved")],
        coarser: &[&[2, 3]],
    },
};

const ENTITY_KIND: Flag = Flag {
    name: "kind",
    rule: Rule::Values {
        column: "主体类型",
        names: &["none", "individual", "company"],
        map: &[
            ("个体工商户", "individual"),
            ("有限责任公司", "company"),
            ("个人独资企业", "company"),
        ],
        coarser: &[],
    },
};

/// In the policy's order.
pub(super) const LINES: &[Dataset] = &[
    Dataset {
        id: "assistance_in_force",
        agency: "civil_affairs",
        columns: &["在保类别"],
        flags: &[when("any", Always), ASSISTANCE_KIND],
    },
    Dataset {
        id: "marriage_registration",
        agency: "civil_affairs",
        columns: &["登记类别"],
        flags: &[MARITAL_STATUS],
    },
    Dataset {
        id: "funeral_cremation",
        agency: "civil_affairs",
        columns: &["火化日期"],
        flags: &[when("deceased", Always)],
    },
    Dataset {
        id: "disability_elder_allowance",
        agency: "civil_affairs",
        columns: &["发放状态"],
        flags: &[when("receiving", Equals("发放状态", "正常发放"))],
    },
    Dataset {
        id: "household_registration",
        agency: "public_security",
        columns: &["户籍状态", "户号"],
        flags: &[REGISTRATION_STATUS],
    },
    Dataset {
        id: "death_cancellation",
        agency: "public_security",
        columns: &["注销日期"],
        flags: &[when("deceased", Always)],
    },
    Dataset {
        id: "vehicle_registration",
        agency: "public_security",
        columns: &["使用性质", "购置价格"],
        flags: &[
            when("over_limit", AtLeast("购置价格", 150_000)),
            count("vehicles", "使用性质", "非营运"),
        ],
    },
    Dataset {
        id: "social_insurance_payment",
        agency: "human_resources",
        columns: &["缴费基数", "最近缴费日期"],
        flags: &[
            when("contributing", WithinDays("最近缴费日期", 60)),
            number("base", "缴费基数", false, bands(&[0, 1, 2490, 4494, 8000])),
        ],
    },
    Dataset {
        id: "pension_benefit",
        agency: "human_resources",
        columns: &["月养老金"],
        flags: &[number("amount", "月养老金", false, bands(&[0, 1, 1050, 2100, 4000]))],
    },
    Dataset {
        id: "unemployment_benefit_payment",
        agency: "human_resources",
        columns: &["发放状态"],
        flags: &[when("receiving", Equals("发放状态", "发放中"))],
    },
    Dataset {
        id: "real_estate_registration",
        agency: "planning_resources",
        columns: &["用途"],
        flags: &[
            count("homes", "用途", "住宅"),
            when("non_residential", In("用途", &["商业", "办公", "工业"])),
        ],
    },
    Dataset {
        id: "housing_transaction",
        agency: "housing",
        columns: &["近一年售房", "出租备案"],
        flags: &[
            when("recent_sale", Equals("近一年售房", "是")),
            when("leasing_out", Equals("出租备案", "有效")),
        ],
    },
    Dataset {
        id: "market_entity",
        agency: "market_regulation",
        columns: &["主体类型", "停业天数"],
        flags: &[ENTITY_KIND, when("suspended", AtLeast("停业天数", 91))],
    },
    Dataset {
        id: "shareholding_position",
        agency: "market_regulation",
        columns: &["认缴出资"],
        flags: &[number(
            "capital",
            "认缴出资",
            true,
            Bands { lower_bounds: &[0, 1, 100_000], coarser: &[&[1, 2]] },
        )],
    },
    Dataset {
        id: "tax_declaration",
        agency: "tax",
        columns: &["年申报收入"],
        flags: &[number("income", "年申报收入", true, bands(&[0, 1, 30000, 60000, 120_000]))],
    },
    Dataset {
        id: "provident_fund_deposit",
        agency: "provident_fund",
        columns: &["缴存基数"],
        flags: &[number("base", "缴存基数", false, bands(&[0, 1, 2490, 6000, 12000]))],
    },
    Dataset {
        id: "provident_fund_use",
        agency: "provident_fund",
        columns: &["业务日期"],
        flags: &[when("recent", WithinDays("业务日期", 365))],
    },
];
