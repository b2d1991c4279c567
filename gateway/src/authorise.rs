//! Who may call what: roles and region by officer, from the configuration.
//!
//! Works on the path of the call before any service sees it. A method that `methods` does not list
//! is refused, and so is everybody who is not registered. Every refusal, a service's too, is counted
//! for the access log.

use std::{
    collections::HashMap,
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::BoxFuture;
use proto::{
    entry::Actor,
    fault::{Reason, reason_of},
    identity::{Identity, Party},
    name::{AgencyId, ProgrammeId},
    region_code::RegionCode,
};
use serde::Deserialize;
use tonic::{
    Status,
    body::Body,
    codegen::{
        Service,
        http::{Request, Response, StatusCode},
    },
};

use crate::{
    audit::tally::Tally,
    methods::{ALERTS, LOG_FILES, METRICS, method},
    refusal::Refusal,
};

/// What an officer is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Visits people: sees the alerts of a region.
    Caseworker,
    /// Writes rules: sees counts, and no alert.
    Analyst,
    /// Runs the gateway.
    Administrator,
    /// Watches over who is connected and who was granted what.
    Security,
    /// Reads the access log, and nothing else.
    Auditor,
    /// Looks after the cases of a region: assigns them, sends them elsewhere, decides returned ones.
    Supervisor,
    /// Approves what another officer asks to be disclosed.
    Approver,
}

/// A registered member of staff.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Officer {
    /// As in the certificate's `spiffe://<programme>/officer/<id>`.
    pub id: AgencyId,
    /// At least one.
    pub roles: Vec<Role>,
    /// Prefix of the regions whose alerts the officer sees; "" for all.
    pub region: String,
}

/// The registered officer who made a call; an extension of every admitted request.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Officer>);

/// What runs the gateway, what watches over it and what reviews both are never in one hand.
const APART: [Role; 3] = [Role::Administrator, Role::Security, Role::Auditor];
/// The register, checked.
#[derive(Clone)]
pub struct Register {
    programme: ProgrammeId,
    officers: Arc<HashMap<AgencyId, Arc<Officer>>>,
}

/// What is wrong with the `[[officer]]` tables.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegisterError {
    /// Registered twice.
    #[error("[[officer]] {0} occurs twice")]
    Twice(AgencyId),
    /// Without a role, or with a region that is no prefix of one.
    #[error("[[officer]] {0} needs a role, and a region of up to 12 digits (\"\" for everywhere)")]
    Unusable(AgencyId),
    /// Roles that must not be in one hand.
    #[error(
        "[[officer]] {0} has roles that nobody may have together: administrator, security and \
         auditor are three people, and an auditor has no other role"
    )]
    Combined(AgencyId),
    /// Nobody could ever use the service.
    #[error(
        "nobody is registered for {0}: add an [[officer]] with one of its roles, or the gateway \
         would serve nobody"
    )]
    Nobody(&'static str),
}

impl Register {
    /// Checks the officers. A service that nobody may use is a mistake, not a configuration.
    ///
    /// # Errors
    /// [`RegisterError`].
    pub fn new(programme: ProgrammeId, list: Vec<Officer>) -> Result<Self, RegisterError> {
        let mut officers = HashMap::new();
        for officer in list {
            let digits = officer.region.bytes().all(|byte| byte.is_ascii_digit());
            if officer.roles.is_empty() || !digits || officer.region.len() > 12 {
                return Err(RegisterError::Unusable(officer.id));
            }
            let apart = APART.iter().filter(|role| officer.roles.contains(role)).count();
            let audits = officer.roles.contains(&Role::Auditor);
            if apart > 1 || audits && officer.roles.iter().any(|role| *role != Role::Auditor) {
                return Err(RegisterError::Combined(officer.id));
            }
            let id = officer.id.clone();
            if officers.insert(id.clone(), Arc::new(officer)).is_some() {
                return Err(RegisterError::Twice(id));
            }
        }
        let anybody = |service: &'static str, roles: &[Role]| {
            let has = |officer: &Arc<Officer>| officer.roles.iter().any(|r| roles.contains(r));
            if officers.values().any(has) { Ok(()) } else { Err(RegisterError::Nobody(service)) }
        };
        anybody("MatchService", ALERTS)?;
        anybody("AdminService", &[Role::Administrator])?;
        Ok(Self { programme, officers: Arc::new(officers) })
    }

    /// Admits a call, or says no without saying why: the log does.
    ///
    /// # Errors
    /// A status with [`Reason::NotPermitted`].
    pub fn admit(&self, identity: Option<&Identity>, path: &str) -> Result<Caller, Box<Status>> {
        let refuse = |problem: &str| {
            let peer = identity.map(ToString::to_string).unwrap_or_default();
            tracing::warn!(%peer, path, problem, "call refused");
            let text = "your certificate does not permit this call: ask the gateway's \
                        administrator to register you with the role it needs";
            Box::new(Reason::NotPermitted.status(text))
        };
        let identity = identity.ok_or_else(|| refuse("no identity"))?;
        let Party::Officer(id) = &identity.party else { return Err(refuse("not an officer")) };
        if identity.programme != self.programme {
            return Err(refuse("of another programme"));
        }
        let officer = self.officers.get(id).ok_or_else(|| refuse("not registered"))?;
        let (roles, _) = method(path).ok_or_else(|| refuse("no such method"))?;
        if officer.roles.iter().any(|role| roles.contains(role)) {
            Ok(Caller(officer.clone()))
        } else {
            Err(refuse("without the role"))
        }
    }

    /// Whether a caseworker is called so.
    pub fn is_caseworker(&self, id: &AgencyId) -> bool {
        self.officers.get(id).is_some_and(|officer| officer.roles.contains(&Role::Caseworker))
    }

    /// Whether a caseworker sees the cases of a region.
    pub fn works_in(&self, region: &RegionCode) -> bool {
        let mut officers = self.officers.values();
        officers.any(|it| it.roles.contains(&Role::Caseworker) && region.is_within(&it.region))
    }

    /// Whose refused call the log says it was.
    fn actor(&self, identity: Option<&Identity>) -> Actor {
        let ours = identity.filter(|identity| identity.programme == self.programme);
        match ours.map(|identity| &identity.party) {
            Some(Party::Officer(id)) => Actor::Officer(id.clone()),
            Some(Party::Agency(id)) => Actor::Agency(id.clone()),
            Some(Party::Gateway(_)) | None => Actor::Unknown,
        }
    }
}

impl Caller {
    /// Whose act the log says it was.
    pub fn actor(&self) -> Actor {
        Actor::Officer(self.0.id.clone())
    }
}

/// Whose call it is.
///
/// # Errors
/// [`Refusal::Internal`], where it came past the register.
pub fn caller<T>(request: &tonic::Request<T>) -> Result<Caller, Refusal> {
    let caller = request.extensions().get::<Caller>().cloned();
    caller.ok_or(Refusal::Internal("a call came past the register"))
}

/// Puts a [`Register`] before services.
#[derive(Clone)]
pub struct AuthoriseLayer(pub Register, pub Arc<Tally>);

/// A service behind a [`Register`].
#[derive(Clone)]
pub struct Authorised<S> {
    register: Register,
    tally: Arc<Tally>,
    inner: S,
}

impl<S> tower::Layer<S> for AuthoriseLayer {
    type Service = Authorised<S>;

    fn layer(&self, inner: S) -> Authorised<S> {
        Authorised { register: self.0.clone(), tally: self.1.clone(), inner }
    }
}

impl<S, B> Service<Request<B>> for Authorised<S>
where
    S: Service<Request<B>, Response = Response<Body>, Future: Send + 'static>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Response<Body>, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let identity = request.extensions().get::<Identity>();
        let by = self.register.actor(identity);
        let path = request.uri().path();
        let name = method(path).map(|(_, name)| name);
        let files = path.starts_with(LOG_FILES) || path == METRICS;
        let tally = self.tally.clone();
        match self.register.admit(identity, path) {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
                let answer = self.inner.call(request);
                Box::pin(async move {
                    let answer = answer.await?;
                    if let Some(reason) = refused(&answer) {
                        tally.refused(by, name, reason);
                    }
                    Ok(answer)
                })
            }
            Err(status) => {
                tally.refused(by, name, Reason::NotPermitted);
                let mut answer = status.into_http();
                if files {
                    *answer.status_mut() = StatusCode::FORBIDDEN;
                }
                Box::pin(async move { Ok(answer) })
            }
        }
    }
}

/// Why a service refused a call, where it did at once.
fn refused(answer: &Response<Body>) -> Option<Reason> {
    let status = Status::from_header_map(answer.headers())?;
    reason_of(&status).and_then(|word| Reason::from_name(&word))
}

#[cfg(test)]
mod tests {
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
    fn only_registered_roles_and_listed_methods_are_admitted() {
        let list =
            vec![officer("li", &[Role::Caseworker]), officer("wang", &[Role::Administrator])];
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
}
