"""What an agent tells over HTTP: metrics, health, its status (spec, section 7)."""
