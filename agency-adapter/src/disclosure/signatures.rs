//! Who asks and who approves, by signatures with certificates of the manifest's officers' authority
//! (PROTOCOL.md sections 21.2 and 21.3).

use jiff::Timestamp;
use proto::{
    disclosure::{Application, approval_bytes, request_bytes},
    name::AgencyId,
    officer_certificate::OfficersAuthority,
};

use super::refused::Refused;

/// The approvers, in the order of their approvals: each somebody else, and none of them who asks.
pub(super) fn approvers(
    application: &Application,
    authority: &OfficersAuthority,
    now: Timestamp,
) -> Result<Vec<AgencyId>, Refused> {
    let (request, digest) = (&application.request, application.request.digest());
    let signed = authority
        .officer(&application.officer, &request_bytes(&digest), now)
        .map_err(Refused::Officer)?;
    if signed != request.officer {
        return Err(Refused::OtherOfficer { named: request.officer.clone(), signed });
    }
    let mut approvers: Vec<AgencyId> = vec![];
    for approval in &application.approvals {
        let approver = authority
            .officer(approval, &approval_bytes(&digest), now)
            .map_err(Refused::Approver)?;
        if approver == request.officer || approvers.contains(&approver) {
            return Err(Refused::SelfApproved(approver));
        }
        approvers.push(approver);
    }
    Ok(approvers)
}
