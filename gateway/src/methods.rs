//! Every method that staff may call, and which roles may: the table of PROTOCOL.md section 10.6.
//!
//! Owns the table. Who has which role, and what becomes of everybody else, is `authorise`'s.

use proto::method_name::MethodName;

use crate::authorise::Role;

const STAFF: &[Role] = &[
    Role::Caseworker,
    Role::Analyst,
    Role::Administrator,
    Role::Security,
    Role::Auditor,
    Role::Supervisor,
    Role::Approver,
];
const RULES: &[Role] = &[Role::Caseworker, Role::Analyst, Role::Administrator, Role::Supervisor];
/// Who sees alerts.
pub(crate) const ALERTS: &[Role] = &[Role::Caseworker, Role::Supervisor];
const DISCLOSURES: &[Role] = &[Role::Caseworker, Role::Approver];
const RUNNING: &[Role] = &[Role::Administrator, Role::Security];
const STATISTICS: &[Role] = &[Role::Analyst, Role::Supervisor];
const LOG: &[Role] = &[Role::Auditor];

/// Below it the log's tiles and its checkpoint are served.
pub const LOG_FILES: &str = "/log/";

/// Where the metrics are.
pub const METRICS: &str = "/metrics";

/// Every method and who may call it.
const METHODS: &[(&str, &[Role])] = &[
    ("/matching.v1.MatchService/ListRules", RULES),
    ("/matching.v1.MatchService/ListAlerts", ALERTS),
    ("/matching.v1.MatchService/GetAlert", ALERTS),
    ("/matching.v1.MatchService/WatchAlerts", ALERTS),
    ("/matching.v1.MatchService/EvaluateRule", &[Role::Analyst]),
    ("/matching.v1.CaseService/ListCases", ALERTS),
    ("/matching.v1.CaseService/GetCase", ALERTS),
    ("/matching.v1.CaseService/Step", ALERTS),
    ("/matching.v1.DisclosureService/PrepareDisclosure", &[Role::Caseworker]),
    ("/matching.v1.DisclosureService/RequestDisclosure", &[Role::Caseworker]),
    ("/matching.v1.DisclosureService/ListDisclosures", DISCLOSURES),
    ("/matching.v1.DisclosureService/ApproveDisclosure", &[Role::Approver]),
    ("/matching.v1.DisclosureService/RefuseDisclosure", &[Role::Approver]),
    ("/matching.v1.DisclosureService/CollectDisclosure", &[Role::Caseworker]),
    ("/matching.v1.DisclosureService/ReviewDisclosure", &[Role::Approver]),
    ("/matching.v1.AdminService/ListAgencies", RUNNING),
    ("/matching.v1.AdminService/ListDatasets", RUNNING),
    ("/matching.v1.AdminService/ListGrants", RUNNING),
    ("/matching.v1.AdminService/ListEpochs", RUNNING),
    ("/matching.v1.AdminService/ListRefusals", &[Role::Security]),
    ("/matching.v1.AdminService/ReloadPolicy", &[Role::Administrator]),
    ("/matching.v1.AdminService/ListNotifications", &[Role::Administrator]),
    ("/matching.v1.AdminService/RetryNotifications", &[Role::Administrator]),
    ("/matching.v1.StatisticsService/Screening", STATISTICS),
    ("/matching.v1.StatisticsService/Report", STATISTICS),
    ("/matching.v1.AuditService/Search", LOG),
    ("/matching.v1.AuditService/Prove", LOG),
    ("/matching.v1.AuditService/GetCheckpoint", LOG),
    ("/matching.v1.AuditService/GetReceipt", STAFF),
    ("/grpc.health.v1.Health/Check", STAFF),
    ("/grpc.health.v1.Health/Watch", STAFF),
    ("/grpc.health.v1.Health/List", STAFF),
    ("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", RUNNING),
];

/// The roles that may call a path, and what the log calls its method.
pub(crate) fn method(path: &str) -> Option<(&'static [Role], MethodName)> {
    if path.starts_with(LOG_FILES) {
        return Some((LOG, named("/Log/Get")));
    }
    if path == METRICS {
        return Some((RUNNING, named("/Metrics/Get")));
    }
    let (listed, roles) = METHODS.iter().find(|(listed, _)| *listed == path)?;
    Some((roles, named(listed)))
}

/// `/package.Service/Method` without the package.
fn named(path: &str) -> MethodName {
    let path = path.trim_start_matches('/');
    let (package, method) = path.split_once('/').unwrap_or_default();
    let service = package.rsplit_once('.').map_or(package, |(_, service)| service);
    format!("{service}/{method}").try_into().expect("listed methods are called by letters")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_auditor_reads_the_log_and_nothing_else() {
        let open: Vec<&str> =
            METHODS.iter().filter(|(_, r)| r.contains(&Role::Auditor)).map(|(m, _)| *m).collect();
        let log = |path: &&str| path.contains(".AuditService/") || path.contains(".Health/");
        assert_eq!(open.iter().filter(|path| !log(path)).count(), 0, "{open:?}");
        let tile = method("/log/tile/0/000").expect("served");
        assert_eq!((tile.0, tile.1.as_str()), (LOG, "Log/Get"));
    }

    #[test]
    fn every_method_of_the_staff_services_is_in_the_table() {
        use prost::Message;
        let set = prost_types::FileDescriptorSet::decode(proto::wire::DESCRIPTOR).expect("ours");
        let adapters = [
            "AdapterService",
            "DiscloserService",
            "HotlineService",
            "KeyHolderService",
            "RequesterService",
            "WitnessService",
        ];
        for file in set.file {
            for service in file.service.iter().filter(|s| !adapters.contains(&s.name())) {
                for method in &service.method {
                    let path = format!("/matching.v1.{}/{}", service.name(), method.name());
                    assert!(METHODS.iter().any(|(listed, _)| *listed == path), "{path}");
                }
            }
        }
    }
}
