"""What a command checks before it works. What cannot be right is refused in a sentence that names the variable.

A process that runs for long checks the same, but a node or a database server that does not answer is no reason for it to end: it
may have been started before them, and waits for them as it does later on.
"""
