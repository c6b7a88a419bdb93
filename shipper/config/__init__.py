"""shipper.toml becomes a Config, or a list of every problem in it."""
