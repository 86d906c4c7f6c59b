"""The frameworks' own initializers as backends: as users call them, with the laws of their names.

A request is handed to the function that a user would take for it. What it does not let a user say
(other fans, a cut in standard deviations) is not there, and the checks that ask for it are skipped.
"""
