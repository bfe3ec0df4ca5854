# SPDX-License-Identifier: Apache-2.0
"""The product as auditd runs it: a drop-in, this checkout's launcher, a configuration file, an output file."""

from __future__ import annotations

import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

from tests import documents

from .daemon import executable
from .rig import Rig
from .waiting import until

BOOTED = Path("/run/systemd/system")
RUN = Path("/run/audisp-maldito")
LAUNCHER = Path(__file__).parents[2] / "build" / "audisp-maldito"
Document = documents.Document


class Plugin:
    def __init__(self, rig: Rig, name: str = "plugin", **config: Any) -> None:
        self.rig = rig
        self.directory = rig.directory / name
        self.directory.mkdir(mode=0o755)
        self.output = self.directory / "out" / "events.jsonl"
        self.output.parent.mkdir(mode=0o750)
        self.launcher = self.directory / "audisp-maldito"
        # auditd runs root's files only; the checkout may be anybody's.
        shutil.copyfile(LAUNCHER, self.launcher)
        self.launcher.chmod(0o755)
        self.config = self.directory / "config.yaml"
        self._documents: list[Document] = []
        self._read_to = 0
        self.configure(**config)

    def configure(self, **more: Any) -> None:
        settings: dict[str, Any] = {
            "output": str(self.output),
            "state_dir": str(self.directory / "state"),
            "sshd_config": str(self.rig.sshd.config),
            "auditd_conf": str(self.rig.auditd.directory / "auditd.conf"),
            **more,
        }
        if BOOTED.is_dir():
            # The test's sshd is no unit: it runs in whatever unit or session the tests were started from.
            settings.setdefault("sshd_units", ["*"])
        # JSON is YAML.
        self.config.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        self.config.chmod(0o600)

    def start(self, log_format: str = "ENRICHED", name_format: str = "NONE") -> None:
        """Have auditd start anew with this plugin; every event from here on reaches it."""
        self.rig.auditd.stop()
        self.rig.auditd.fresh_log()
        self.rig.auditd.plugin("audisp-maldito", self.launcher, str(self.config))
        self.rig.auditd.start(log_format, name_format)
        until(self.pid, "the plugin's process")

    def stop(self) -> None:
        """End auditd, and return when the plugin has written what it had and is gone."""
        pid = self.pid()
        self.rig.auditd.stop()
        self.rig.auditd.without_plugins()
        until(lambda: executable(pid) == "", "the plugin to end")
        with contextlib.suppress(OSError):
            RUN.rmdir()

    def pid(self) -> int:
        """The process that auditd started, 0 while there is none; the launcher keeps its pid when it becomes python."""
        daemon = self.rig.auditd.daemon
        for status in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(status.read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if daemon is not None and parent == daemon.pid and "python" in executable(int(status.parent.name)):
                return int(status.parent.name)
        return 0

    def memory(self, field: str = "RssAnon") -> int:
        """A number of /proc/PID/status, in KiB."""
        lines = Path(f"/proc/{self.pid()}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field + ":"))

    def documents(self) -> list[Document]:
        """What has been written until now, whole lines only, each held against the schema."""
        if self.output.exists():
            with self.output.open("rb") as lines:
                lines.seek(self._read_to)
                text = lines.read()
            whole = text[: text.rfind(b"\n") + 1]
            self._read_to += len(whole)
            self._documents += map(documents.read, whole.splitlines())
        return self._documents

    def of_session(self, ses: int) -> list[Document]:
        """The actions of an audit session."""
        wanted = ("UserAction", "SystemAction")
        return [d for d in self.documents() if d["metadata"]["auditId"] == str(ses) and d["type"] in wanted]

    def logins(self, **data: Any) -> list[Document]:
        """The UserLogins whose `data` has these values."""
        found = [d for d in self.documents() if d["type"] == "UserLogin"]
        return [d for d in found if all(d.get("data", {}).get(key) == value for key, value in data.items())]

    def login(self, fingerprint: str) -> Document:
        """The one accepted login with this key, awaited."""

        def found() -> list[Document]:
            return [d for d in self.logins(SSHKeySum=fingerprint.partition(":")[2]) if d["outcome"] == "succeeded"]

        until(found, f"the UserLogin of {fingerprint}")
        (document,) = found()
        return document

    def actions(self, ses: int) -> list[Document]:
        """The actions of an audit session, awaited: all that audit.log has of it, each exactly once."""

        def complete() -> bool:
            # The trail is read first: what is told later than that is looked for in the next turn.
            wanted = sorted(self.rig.trail().of_session(ses))
            return bool(wanted) and wanted == sorted(map(event_id, self.of_session(ses)))

        until(complete, f"each event of session {ses} to be told exactly once")
        return self.of_session(ses)

    def said(self, since: str = "") -> list[str]:
        """What the plugin itself logged."""
        entries = self.rig.journald.entries(since)
        return [e["MESSAGE"] for e in entries if e.get("SYSLOG_IDENTIFIER") == "audisp-maldito"]


def event_id(document: Document) -> str:
    identity: str = document["metadata"]["extra"]["eventId"]
    return identity


def person(document: Document) -> str:
    name: str = document["subjects"]["userID"]
    return name
