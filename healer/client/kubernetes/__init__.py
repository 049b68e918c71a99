"""The Kubernetes API over kubernetes_asyncio: workloads, pods, settings. `cluster` is the door.

No policy lives here: what may be done is asked elsewhere; this room says only what was answered.
"""
