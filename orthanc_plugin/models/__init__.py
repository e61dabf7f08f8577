"""Models as one looks at them: folders beside the history."""
