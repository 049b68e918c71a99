"""healer: alerts come in, runbooks run, fixes are proven. docs/architecture.md is the map."""
