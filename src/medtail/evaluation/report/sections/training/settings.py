"""What it takes to train this run again."""

import yaml

from medtail.evaluation.report.evidence import Evidence
from medtail.evaluation.report.page import Section

_NOT_VERSIONS = ("device", "hardware", "started", "seconds", "git_commit")


def settings(evidence: Evidence) -> Section:
    """The recipe, the versions and the machine."""
    environment = evidence.environment
    return Section(
        "settings",
        "Recipe and versions",
        "section_settings.html",
        {
            "recipe": yaml.safe_dump(evidence.settings.values, sort_keys=False, allow_unicode=True),
            "environment": environment,
            "versions": {name: value for name, value in environment.items() if name not in _NOT_VERSIONS},
            "fingerprint": evidence.facts.fingerprint,
        },
    )
