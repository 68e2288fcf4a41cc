"""The demo's stage: sample studies in two folders, each served as a hospital's archive, and what to try."""
