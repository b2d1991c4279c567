//! Who is admitted to what.

use super::*;

fn officer(id: &str, roles: &[Role]) -> Officer {
    let id = id.parse().expect("a name");
    Officer { id, roles: roles.to_vec(), region: "3201".into() }
}

fn register(list: Vec<Officer>) -> Result<Register, RegisterError> {
    Register::new("demo".parse().expect("a name"), list)
}

#[test]
fn a_gateway_that_would_serve_nobody_is_refused() {
    let nobody = |list| register(list).err();
    assert_eq!(nobody(vec![]), Some(RegisterError::Nobody("MatchService")));
    let only_caseworker = vec![officer("li", &[Role::Caseworker])];
    assert_eq!(nobody(only_caseworker), Some(RegisterError::Nobody("AdminService")));
}

#[test]
fn administrator_security_and_auditor_are_three_people_and_an_auditor_has_no_other_role() {
    use Role::{Administrator, Analyst, Auditor, Caseworker, Security};
    let with = |roles: &[Role]| {
        let others = vec![officer("li", &[Caseworker]), officer("wang", &[Administrator])];
        register([others, vec![officer("zhao", roles)]].concat()).err()
    };
    let zhao = || Some(RegisterError::Combined("zhao".parse().expect("a name")));
    for together in [
        &[Administrator, Security][..],
        &[Administrator, Auditor],
        &[Security, Auditor],
        &[Administrator, Security, Auditor],
        &[Auditor, Caseworker],
        &[Auditor, Analyst],
    ] {
        assert_eq!(with(together), zhao(), "{together:?}");
    }
    for alone in [&[Administrator][..], &[Security], &[Auditor], &[Caseworker, Analyst]] {
        assert_eq!(with(alone), None, "{alone:?}");
    }
}

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
fn only_registered_roles_and_listed_methods_are_admitted() {
    let list = vec![officer("li", &[Role::Caseworker]), officer("wang", &[Role::Administrator])];
    let register = register(list).expect("good");
    let admits = |uri: &str, path: &str| {
        let identity: Identity = uri.parse().expect("an identity");
        register.admit(Some(&identity), path).is_ok()
    };
    let alerts = "/matching.v1.MatchService/ListAlerts";
    assert!(admits("spiffe://demo/officer/li", alerts));
    assert!(!admits("spiffe://demo/officer/wang", alerts), "an administrator sees no alert");
    assert!(!admits("spiffe://demo/officer/zhao", alerts), "nobody registered");
    assert!(!admits("spiffe://demo/agency/li", alerts), "an agency is no officer");
    assert!(!admits("spiffe://other/officer/li", alerts), "another programme");
    assert!(!admits("spiffe://demo/officer/li", "/matching.v1.MatchService/New"));
    assert!(register.admit(None, alerts).is_err());
}

#[test]
fn every_method_of_the_staff_services_is_in_the_table() {
    use prost::Message;
    let set = prost_types::FileDescriptorSet::decode(proto::wire::DESCRIPTOR).expect("ours");
    let adapters = ["AdapterService", "KeyHolderService", "RequesterService", "WitnessService"];
    for file in set.file {
        for service in file.service.iter().filter(|s| !adapters.contains(&s.name())) {
            for method in &service.method {
                let path = format!("/matching.v1.{}/{}", service.name(), method.name());
                assert!(METHODS.iter().any(|(listed, _)| *listed == path), "{path}");
            }
        }
    }
}
