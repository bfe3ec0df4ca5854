# SPDX-License-Identifier: Apache-2.0
"""Whose a LOGIN is, once all that can be known of it is known: sshd's acceptances and, where there is one, the audit
stream's own testimony.  Pure.

One acceptance names; two with different words cannot both be true. A testimony that agrees is said to confirm it, one
that denies it makes it contested: which of the two is forged cannot be told from here. Without an acceptance the
testimony names only if the operator says so.
"""

from __future__ import annotations

from typing import NamedTuple, Optional

from .model import Action, SshdEntry
from .session import Acceptance, Session
from .testimony import Testimony
from .trust import Policy, identity

NO_ACCEPTANCE = "no acceptance of this session's login was found in the journal"
CONTESTED = "several different acceptances for one login: at least one of them is forged"
SHARED = "an sshd that was started from within this session let somebody else in"
CONTRADICTED = "journal and audit trail contradict each other about this login"


SPEAKS = frozenset(["USER_ACCT", "USER_START"])
"""What sshd's PAM writes of a login. The user's own sshd process writes CRED_ACQ as well, in every session."""


class Verdict(NamedTuple):
    """`acceptance`: the one that the session is bound to. Without it nobody is named, for `reason`; `contested` are
    those that contradict each other."""

    acceptance: Optional[Acceptance]
    contested: list[Acceptance]
    reason: Optional[str] = None


def verdict(session: Session, candidates: list[Acceptance], policy: Policy) -> Verdict:
    """`candidates`: the acceptances that may have led to the session's LOGIN."""
    witness = None if session.testimony is None else _witness(session, session.testimony, policy)
    names = witness is not None and witness.who.person is not None and policy.audit_identity
    if not candidates:
        if witness is not None and names:
            return Verdict(witness, [])  # one that names nobody would keep a late line from naming
        return Verdict(None, [], NO_ACCEPTANCE)
    if len({a.login.text for a in candidates}) > 1:
        return Verdict(None, candidates, CONTESTED)
    acceptance = candidates[0]
    if session.testimony is not None:
        logins = [factor.login for factor in acceptance.factors] or [acceptance.login]
        if session.testimony.contradicts(logins):
            return Verdict(None, [acceptance, witness or acceptance], CONTRADICTED)
        session.confirmed_by = session.testimony.confirms(logins)
        if acceptance.who.person is None and witness is not None and names:
            acceptance.who = witness.who
    return Verdict(acceptance, [])


def _witness(session: Session, testimony: Testimony, policy: Policy) -> Optional[Acceptance]:
    """The testimony in the form of an acceptance; None if it tells of no key."""
    login = testimony.login()
    if login is None:
        return None
    witness = Acceptance(SshdEntry(session.pid, testimony.time_ms * 1000, None), login, 0.0, None)
    witness.who = identity(login, policy)._replace(source="audit")
    return witness


def is_another_sshds(action: Action, root: Session, policy: Policy) -> bool:
    """Does an sshd that was started from within `root` let somebody in? If it is to the same account, pam_loginuid writes
    nothing, the loginuid being right already: no session opens, and what they do bears this one's number."""
    speaks = action.type in SPEAKS and action.exe in policy.sshd_paths and action.user.get("uid") == 0
    return speaks and action.pid not in (None, root.pid) and not root.ended
