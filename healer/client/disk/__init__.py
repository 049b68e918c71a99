"""The disk of a pod: what lies in its folders, and taking away what is old, by a program run there.

The program travels with the question (over exec, as its standard input): the image needs a Python
and nothing else. What it may take away is decided here and in the program, never by a pattern.
"""
