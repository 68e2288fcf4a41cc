"""Configuration: YAML files in, one frozen Config out, or one report of every mistake."""

from edgerouter.config.config import Config, from_upstreams, load
from edgerouter.config.problems import ConfigError, Problem
from edgerouter.config.secret import Auth, Secret, SecretMissing
from edgerouter.config.server import AdminListener, Limits, ServerConfig
from edgerouter.config.upstreams import Timeouts, Tls, Upstream

__all__ = [
    "AdminListener",
    "Auth",
    "Config",
    "ConfigError",
    "Limits",
    "Problem",
    "Secret",
    "SecretMissing",
    "ServerConfig",
    "Timeouts",
    "Tls",
    "Upstream",
    "from_upstreams",
    "load",
]
