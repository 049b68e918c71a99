"""The GPU of a node without one: NVIDIA's library as a stand-in, built here and put into pods."""
