"""Controllers: each brings one kind of object from what is to what is wanted, level-triggered.

They see only the `Cluster` of the lab's contract; no HTTP and no processes live here.
"""
