"""Parsing of whole files outside the event loop and its interpreter lock (law 13): a process of its own, and
the threads that wait for it."""
