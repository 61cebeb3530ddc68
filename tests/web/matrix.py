"""Who may do what, transcribed by hand from the reliability document's table, not from the code's policy.

Each line: method, path, then what anonymous, clinician, coordinator, reference centre, helpdesk and auditor get, each
with the things of the own scope. 422 stands for "may": the body that the tests send is refused only after the role.
"""

from __future__ import annotations

#         method    path                                            AN   CL   GC   RR   HD   AU
MATRIX = [
    # notices, factsheet, register: everybody
    ("GET", "/notices", 200, 200, 200, 200, 200, 200),
    ("GET", "/notices/{privacy}", 200, 200, 200, 200, 200, 200),
    ("GET", "/notices/{privacy}/file", 404, 404, 404, 404, 404, 404),
    ("GET", "/captcha", 200, 200, 200, 200, 200, 200),
    ("POST", "/contact", 422, 422, 422, 422, 422, 422),
    ("POST", "/registrations", 422, 422, 422, 422, 422, 422),
    # activate, refuse: the helpdesk
    ("GET", "/contact", 401, 403, 403, 403, 200, 403),
    ("POST", "/contact/{privacy}/resolution", 401, 403, 403, 403, 422, 403),
    ("GET", "/registrations", 401, 403, 403, 403, 200, 403),
    ("GET", "/registrations/{registration}", 401, 403, 403, 403, 200, 403),
    ("POST", "/registrations/{registration}/activation", 401, 403, 403, 403, 422, 403),
    ("POST", "/registrations/{registration}/refusal", 401, 403, 403, 403, 422, 403),
    # networks, hospitals, groups, host accounts, notices: change
    ("GET", "/networks", 401, 200, 200, 200, 200, 200),
    ("GET", "/networks/{network}", 401, 200, 200, 200, 200, 200),
    ("POST", "/networks", 401, 403, 403, 403, 422, 403),
    ("GET", "/hospitals", 401, 200, 200, 200, 200, 200),
    ("GET", "/hospitals/{hospital}", 401, 200, 200, 200, 200, 200),
    ("POST", "/hospitals", 401, 403, 403, 403, 422, 403),
    ("PATCH", "/hospitals/{hospital}", 401, 403, 403, 403, 422, 403),
    ("POST", "/notices", 401, 403, 403, 403, 422, 403),
    ("PUT", "/notices/{privacy}/file", 401, 403, 403, 403, 415, 403),
    ("GET", "/expert-groups", 401, 200, 200, 200, 200, 200),
    ("GET", "/expert-groups/{group}", 401, 200, 200, 200, 200, 200),
    ("POST", "/expert-groups", 401, 403, 403, 403, 422, 403),
    ("PATCH", "/expert-groups/{group}", 401, 403, 422, 403, 422, 403),
    ("GET", "/expert-groups/{group}/members", 401, 200, 200, 200, 200, 200),
    ("POST", "/expert-groups/{group}/members", 401, 403, 422, 403, 422, 403),
    ("PUT", "/expert-groups/{group}/members/{colleague}/calendar", 401, 422, 422, 403, 422, 403),
    ("DELETE", "/expert-groups/{group}/members/{colleague}", 401, 403, 412, 403, 412, 403),
    ("GET", "/host-accounts", 401, 403, 403, 403, 200, 403),
    ("GET", "/host-accounts/{host}", 401, 403, 403, 403, 200, 403),
    ("POST", "/host-accounts", 401, 403, 403, 403, 422, 403),
    ("PATCH", "/host-accounts/{host}", 401, 403, 403, 403, 422, 403),
    ("GET", "/host-accounts/{host}/bookings", 401, 403, 403, 403, 200, 403),
    # directory, own profile
    ("GET", "/clinicians", 401, 200, 200, 200, 200, 200),
    ("GET", "/clinicians/{colleague}", 401, 200, 200, 200, 200, 200),
    ("POST", "/clinicians", 401, 403, 403, 403, 422, 403),
    # further addresses of a clinician, which tell more than what is shared: the helpdesk
    ("GET", "/clinicians/{colleague}/addresses", 401, 403, 403, 403, 200, 403),
    ("POST", "/clinicians/{colleague}/addresses", 401, 403, 403, 403, 422, 403),
    ("DELETE", "/clinicians/{colleague}/addresses/{session}", 401, 403, 403, 403, 404, 403),
    # the own calendar; the helpdesk anybody's
    ("POST", "/clinicians/{colleague}/calendar-repair", 401, 422, 403, 403, 422, 403),
    ("PATCH", "/clinicians/{requester}", 401, 422, 422, 422, 422, 422),
    # export, erasure: a clinician the own, the helpdesk anybody's
    ("GET", "/clinicians/{requester}/export", 401, 200, 403, 403, 200, 403),
    ("GET", "/clinicians/{colleague}/export", 401, 404, 403, 403, 200, 403),
    ("DELETE", "/clinicians/{requester}", 401, 412, 403, 403, 412, 403),
    ("DELETE", "/clinicians/{colleague}", 401, 404, 403, 403, 412, 403),
    ("GET", "/participants?network=covid", 401, 200, 200, 200, 200, 200),
    # see rounds and free slots; series, sessions: create, move, cancel
    ("GET", "/expert-groups/{group}/series", 401, 200, 200, 200, 200, 200),
    ("GET", "/series/{series}", 401, 200, 200, 200, 200, 200),
    ("POST", "/expert-groups/{group}/series", 401, 403, 422, 403, 422, 403),
    ("PATCH", "/series/{series}", 401, 403, 422, 403, 422, 403),
    ("DELETE", "/series/{series}", 401, 403, 412, 403, 412, 403),
    ("GET", "/series/{series}/exceptions", 401, 200, 200, 200, 200, 200),
    ("POST", "/series/{series}/exceptions", 401, 403, 422, 403, 422, 403),
    ("DELETE", "/series/{series}/exceptions/{session}", 401, 403, 412, 403, 412, 403),
    ("GET", "/sessions", 401, 200, 200, 200, 200, 200),
    ("GET", "/sessions/{session}", 401, 200, 200, 200, 200, 200),
    ("POST", "/sessions/{session}/move", 401, 403, 422, 403, 422, 403),
    ("POST", "/sessions/{session}/cancellation", 401, 403, 422, 403, 422, 403),
    # who is expected at a session, substitutes, a session that is held although it is at risk
    ("GET", "/sessions/{session}/roster", 401, 200, 200, 200, 200, 200),
    ("POST", "/sessions/{session}/roster", 401, 403, 422, 403, 422, 403),
    ("DELETE", "/sessions/{session}/roster/{colleague}", 401, 403, 412, 403, 412, 403),
    ("POST", "/sessions/{session}/keeping", 401, 403, 422, 403, 422, 403),
    # absences: a clinician the own, a coordinator those of the own group's members, the helpdesk all
    ("GET", "/absences", 401, 200, 200, 403, 200, 403),
    ("POST", "/absences", 401, 422, 422, 403, 422, 403),
    ("DELETE", "/absences/{session}", 401, 404, 404, 403, 404, 403),
    # consultation request: create, withdraw; read its text
    ("GET", "/consultation-requests", 401, 200, 200, 200, 200, 403),
    ("GET", "/consultation-requests/{request}", 401, 200, 200, 200, 200, 403),
    ("POST", "/consultation-requests", 401, 422, 422, 422, 422, 403),
    ("PATCH", "/consultation-requests/{request}", 401, 422, 422, 422, 422, 403),
    ("POST", "/consultation-requests/{request}/withdrawal", 401, 422, 422, 422, 422, 403),
    # triage, allocate
    ("POST", "/consultation-requests/{request}/triage", 401, 403, 422, 403, 422, 403),
    ("POST", "/consultation-requests/{request}/allocation", 401, 403, 422, 403, 422, 403),
    ("DELETE", "/consultation-requests/{request}/allocation", 401, 403, 412, 403, 412, 403),
    ("POST", "/consultation-requests/{request}/outcome", 401, 403, 422, 403, 422, 403),
    ("POST", "/replans", 401, 403, 422, 403, 422, 403),
    ("GET", "/replans/{replan}", 401, 403, 200, 403, 200, 403),
    ("POST", "/replans/{replan}/application", 401, 403, 422, 403, 422, 403),
    # offer: accept, refuse; there is none with that id
    ("GET", "/offers/{session}", 401, 404, 404, 404, 404, 403),
    ("POST", "/offers/{session}/acceptance", 401, 422, 422, 422, 422, 403),
    ("POST", "/offers/{session}/refusal", 401, 422, 422, 422, 422, 403),
    # webinar request / approve
    ("GET", "/webinar-requests", 401, 403, 403, 200, 200, 200),
    ("GET", "/webinar-requests/{webinar}", 401, 403, 403, 200, 200, 200),
    ("POST", "/webinar-requests", 401, 403, 403, 422, 422, 403),
    ("PATCH", "/webinar-requests/{webinar}", 401, 403, 403, 422, 422, 403),
    ("POST", "/webinar-requests/{webinar}/approval", 401, 403, 403, 403, 422, 403),
    ("POST", "/webinar-requests/{webinar}/refusal", 401, 403, 403, 403, 422, 403),
    # conferences: a panel's meeting belongs to the group; retry, cancel by the helpdesk
    ("GET", "/conferences", 401, 200, 200, 200, 200, 200),
    ("GET", "/conferences/{conference}", 401, 404, 200, 404, 200, 200),
    ("GET", "/conferences/{conference}/participants", 401, 404, 200, 404, 200, 200),
    ("GET", "/conferences/{conference}/attendance", 401, 404, 200, 404, 200, 200),
    ("POST", "/conferences/{conference}/cancellation", 401, 403, 403, 403, 422, 403),
    ("POST", "/conferences/{conference}/retry", 401, 403, 403, 403, 422, 403),
    ("POST", "/conferences/{conference}/provider", 401, 403, 403, 403, 422, 403),
    # host key: a coordinator the own, at the time; here no meeting is made yet
    ("GET", "/conferences/{conference}/host-key", 401, 403, 409, 403, 404, 403),
    # provider findings: the helpdesk
    ("GET", "/provider-findings", 401, 403, 403, 403, 200, 403),
    ("GET", "/provider-findings/{session}", 401, 403, 403, 403, 404, 403),
    ("POST", "/provider-findings/{session}/resolution", 401, 403, 403, 403, 422, 403),
    # deliveries, resend: the first one is to the requester, about the request
    ("GET", "/deliveries", 401, 200, 200, 200, 200, 200),
    ("GET", "/deliveries/{delivery}", 401, 200, 404, 404, 200, 200),
    ("POST", "/deliveries/{delivery}/retry", 401, 403, 422, 422, 422, 403),
    # mail that comes in: the helpdesk
    ("GET", "/inbound-mails", 401, 403, 403, 403, 200, 403),
    ("GET", "/inbound-mails/{session}", 401, 403, 403, 403, 404, 403),
    ("POST", "/inbound-mails/{session}/resolution", 401, 403, 403, 403, 422, 403),
    # addresses that get no mail: as settings, the helpdesk
    ("GET", "/suppressions", 401, 403, 403, 403, 200, 403),
    ("POST", "/suppressions", 401, 403, 403, 403, 422, 403),
    ("DELETE", "/suppressions/{session}", 401, 403, 403, 403, 404, 403),
    # audit: the auditor; the helpdesk its own actions, a clinician what is about it
    ("GET", "/audit", 401, 200, 403, 403, 200, 200),
    # own feed addresses: a clinician the own, the helpdesk all
    ("GET", "/feeds", 401, 200, 403, 403, 200, 403),
    ("POST", "/feeds", 401, 422, 403, 403, 422, 403),
    ("DELETE", "/feeds/{session}", 401, 404, 403, 403, 404, 403),
    # tokens
    ("GET", "/tokens", 401, 403, 403, 403, 200, 403),
    ("POST", "/tokens", 401, 403, 403, 403, 422, 403),
    ("DELETE", "/tokens/{session}", 401, 403, 403, 403, 404, 403),
]
