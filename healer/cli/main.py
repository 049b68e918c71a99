"""Entry point: the command groups, joined. Each group is a module of its own."""

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="healer")
def main() -> None:
    """Self-healing for LLM inference on Kubernetes."""
