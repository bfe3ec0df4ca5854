# SPDX-License-Identifier: Apache-2.0
"""What the tracker tells -> the output document, in the shape of the Go original's `auditevent`.

Keys stand in the original's order, its maps sorted; additions stand only under `metadata.extra` and `data` and are
described, with everything else, in data/event.schema.json. An absent value has no key.
"""

from __future__ import annotations

from typing import Any, Optional

from .deed import escalated, extra
from .model import Login, SshdEntry
from .particulars import UNKNOWN_SOURCE, Document, factor_data, is_own, login_data, place_details, source_of
from .session import (
    NOBODYS,
    Acceptance,
    ActionTold,
    IdentityTold,
    LoginMissing,
    LoginTold,
    LogoutTold,
    Session,
    Told,
)
from .stamp import identifier, rfc3339
from .trust import UNKNOWN, Identity, Policy
from .verdict import CONTESTED

SCHEMA = 1


class Author:
    """Writes documents for one host and one boot."""

    def __init__(self, policy: Policy, boot_id: Optional[str]) -> None:
        self._boot_id = boot_id
        self.reconfigure(policy)

    def reconfigure(self, policy: Policy) -> None:
        """Write for another policy from now on."""
        self._policy = policy
        self._target = {"host": policy.host, "machine-id": policy.machine_id}

    def write(self, told: Told) -> Document:
        """One document for one thing told."""
        if isinstance(told, ActionTold):
            return self._action(told)
        if isinstance(told, LoginTold):
            return self._login(told)
        if isinstance(told, LoginMissing):
            return self._login_missing(told.session)
        if isinstance(told, LogoutTold):
            return self._logout(told)
        return self._identified(told)

    def failed(
        self, entry: SshdEntry, login: Login, tries: int, after: Optional[tuple[SshdEntry, Login]] = None
    ) -> Document:
        """A UserLogin that did not come about; `tries` is which of its connection's attempts it was, 0 if not known.
        `after`: the acceptance of which nothing came, as this line says."""
        data = login_data(login)
        if tries:
            data["Try"] = tries
        if after is not None:
            data["After"] = self._login_id(*after)
        if login.reason:
            data["Reason"] = login.reason
        document = self._login_document(entry, login, None, "failed", data)
        place_details(document, login)
        return document

    def gap(self, first: str, last: str, count: int, reason: str, at_ms: int) -> Document:
        """Events from `first` to `last` (eventIds, or times) that no document tells of."""
        event_id = identifier(self._boot_id, "AuditGap", first, last, count, reason)
        document = self._document(
            "AuditGap", event_id, event_id, rfc3339(at_ms, 1000), {"type": "host", "value": self._policy.host}, {}
        )
        document["outcome"] = "failed"
        document["data"] = {"count": count, "first": first, "last": last, "reason": reason}
        return document

    # Logins

    def _login(self, told: LoginTold) -> Document:
        acceptance = told.acceptance
        who = acceptance.who
        if told.contested:
            reason = told.session.reason if told.session is not None else None
            who = Identity(None, who.ca_trust, reason or CONTESTED)
        data = login_data(acceptance.login)
        if acceptance.factors:
            data["Factors"] = [factor_data(factor) for factor in acceptance.factors]
        if who.ca_trust:
            data["CATrust"] = who.ca_trust
        if who.reason:
            data["Reason"] = who.reason
        if who.source:
            data["IdentitySource"] = who.source
        if told.session is not None and told.session.confirmed_by:
            data["ConfirmedBy"] = list(told.session.confirmed_by)
        if told.contested:
            data["contested"] = sorted(rival.login.text for rival in told.contested)
        return self._login_document(acceptance.entry, acceptance.login, who.person, "succeeded", data, told.session)

    def _login_document(
        self,
        entry: SshdEntry,
        login: Login,
        person: Optional[str],
        outcome: str,
        data: dict[str, Any],
        session: Optional[Session] = None,
    ) -> Document:
        audit_id = self._login_id(entry, login)
        document = self._document(
            "UserLogin",
            audit_id,
            audit_id,
            rfc3339(entry.time_us, 1_000_000),
            source_of(login),
            {
                "loggedAs": UNKNOWN if login.user is None else login.user,
                "pid": entry.pid_text or str(entry.pid),
                "userID": person or UNKNOWN,
            },
        )
        document["outcome"] = outcome
        document["component"] = "sshd"
        if session is not None:
            document["metadata"]["extra"]["session"] = str(session.ses)
        if is_own(login.source, self._policy):
            data["fromSelf"] = True
        if self._policy.untimed:
            data["Trusted"] = False
        if data:
            document["data"] = dict(sorted(data.items()))
        return document

    def _login_id(self, entry: SshdEntry, login: Login) -> str:
        line = (entry.line,) if entry.line else ()
        return identifier(entry.boot_id or self._boot_id, entry.pid, entry.time_us, login.text, *line)

    def _login_missing(self, session: Session) -> Document:
        audit_id = identifier(self._boot_id, session.pid, session.event_id, "LOGIN")
        document = self._document(
            "UserLogin", audit_id, audit_id, rfc3339(session.time_ms, 1000), *self._origin(session)
        )
        document["component"] = "sshd"
        document["metadata"]["extra"]["session"] = str(session.ses)
        data: dict[str, Any] = {"Reason": session.reason}
        if session.testimony is not None:
            data["Testimony"] = session.testimony.told()
        if self._policy.untimed:
            data["Trusted"] = False
        document["data"] = data
        return document

    def _logout(self, told: LogoutTold) -> Document:
        session, action, actions = told
        event_id = identifier(self._boot_id, "UserLogout", session.ses, session.event_id, action.id)
        document = self._document(
            "UserLogout", str(session.ses), event_id, rfc3339(action.time_ms, 1000), *self._origin(session)
        )
        document["component"] = "sshd"
        document["data"] = {
            "actions": actions,
            "durationSeconds": round(max(0, action.time_ms - session.time_ms) / 1000, 3),
        }
        return document

    def _identified(self, told: IdentityTold) -> Document:
        session = told.session
        event_id = identifier(self._boot_id, "UserIdentified", session.ses, session.event_id)
        assert session.acceptance is not None
        document = self._document(
            "UserIdentified",
            str(session.ses),
            event_id,
            rfc3339(session.acceptance.entry.time_us, 1_000_000),
            *self._origin(session),
        )
        document["component"] = "sshd"
        document["data"] = {
            "first": session.first_nameless,
            "last": session.last_nameless,
            "session": str(session.ses),
        }
        return document

    # Actions

    def _action(self, told: ActionTold) -> Document:
        session, action, candidates = told.session, told.action, told.candidates
        root = session.root
        ssh = root.state is not NOBODYS
        document = self._document(
            "UserAction" if ssh else "SystemAction",
            str(session.ses),
            action.id,
            rfc3339(action.time_ms, 1000),
            *self._origin(session),
        )
        document["outcome"] = "succeeded" if action.result == "success" else "failed"
        original, ours = extra(action)
        document["metadata"]["extra"] = {**original, **document["metadata"]["extra"], **ours}
        data: dict[str, Any] = {}
        if session.inherited is not None:
            data["inherited"] = str(session.inherited)
        if candidates.names:
            data["candidates"] = sorted({name or UNKNOWN for name in candidates.names})
        if candidates.cut:
            data["candidatesTruncated"] = True
        if root.acceptance is None and root.reason is not None:
            data["Reason"] = root.reason
        if told.detached:
            data["detached"] = True
        if told.escalated is not None:
            data["escalated"] = escalated(told.escalated)
        if root.acceptance is not None and is_own(root.acceptance.login.source, self._policy):
            data["fromSelf"] = True
        if self._policy.untimed:
            data["Trusted"] = False
        if data:
            document["data"] = dict(sorted(data.items()))
        return document

    def _origin(self, session: Session) -> tuple[dict[str, Any], dict[str, str]]:
        """`source` and `subjects` of a session: its login's, or what the kernel alone knows."""
        acceptance: Optional[Acceptance] = session.root.acceptance
        if acceptance is not None:
            person = acceptance.who.person
            return source_of(acceptance.login), {
                "loggedAs": acceptance.login.user or UNKNOWN,
                "pid": str(acceptance.pid),
                "userID": person or UNKNOWN,
            }
        account = session.account or (UNKNOWN if session.auid is None else str(session.auid))
        pid = session.root.pid if session.root.pid is not None else session.pid
        return UNKNOWN_SOURCE, {
            "loggedAs": account,
            "pid": UNKNOWN if pid is None else str(pid),
            "userID": UNKNOWN,
        }

    def _document(
        self, kind: str, audit_id: str, event_id: str, logged_at: str, source: dict[str, Any], subjects: dict[str, str]
    ) -> Document:
        extra: dict[str, Any] = {"schema": SCHEMA, "eventId": event_id}
        if self._boot_id is not None:
            extra["bootId"] = self._boot_id
        return {
            "metadata": {"auditId": audit_id, "extra": extra},
            "type": kind,
            "loggedAt": logged_at,
            "source": source,
            "outcome": "succeeded",
            "subjects": subjects,
            "component": "auditd",
            "target": self._target,
        }
