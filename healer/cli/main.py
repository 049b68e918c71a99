"""Entry point: the command groups, joined. Each group is a module of its own."""

import click

from healer.cli.check import check
from healer.cli.control import pause, resume, status
from healer.cli.doctor import doctor
from healer.cli.incident import incident
from healer.cli.lab import lab
from healer.cli.playbook import playbook
from healer.cli.rbac import rbac
from healer.cli.rehearse import test
from healer.cli.serve import serve


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="healer")
def main() -> None:
    """Self-healing for LLM inference on Kubernetes."""


playbook.add_command(rbac)
playbook.add_command(test)
main.add_command(check)
main.add_command(doctor)
main.add_command(incident)
main.add_command(lab)
main.add_command(pause)
main.add_command(playbook)
main.add_command(resume)
main.add_command(serve)
main.add_command(status)
