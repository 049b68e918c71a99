"""The command line: kubectl's habits. One module a command group; main.py joins them."""
