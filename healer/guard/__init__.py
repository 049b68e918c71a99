"""May we act? Each guard looks at fresh state, answers with a reason, and changes nothing."""
